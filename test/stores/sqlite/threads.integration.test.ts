import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { YubikeyError } from '../../../src/errors.js';
import { type KeyRecord, SqliteStore } from '../../../src/stores/index.js';
import { drivers, openFor, type SqliteDriver, temporaryFile } from '../../support/stores/sqlite-drivers.js';
import { migrateAndFindWorkers } from '../../support/stores/sqlite-workers.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const COUNTERS = { usageCounter: 1, sessionUse: 0, timestamp: 0 };
const CLOSED = { name: 'YubikeyError', code: 'STORE_FAILED', message: expect.stringContaining('closed') };
const ENDED = { name: 'YubikeyError', code: 'STORE_FAILED', message: expect.stringContaining('thread') };
const ids = Array.from({ length: 64 }, (_, n) => `id ${n}`);

async function openStore({ name }: SqliteDriver, path: string): Promise<SqliteStore> {
  const store = new SqliteStore({ path, driver: name });
  await store.migrate();
  return store;
}

/** A store and its threads, which a test ends as only a fault would. */
async function openStoreWithWorkers({ name }: SqliteDriver, path: string) {
  const store = new SqliteStore({ path, driver: name });
  return { store, ...(await migrateAndFindWorkers(store)) };
}

const collectOutcomes = (calls: Promise<unknown>[]) =>
  Promise.all(calls.map((call) => call.then(() => 'OK').catch((error) => error)));

describe.each(drivers)('SqliteStore with a path, through $name', (driver) => {
  it('opens nothing before migrate()', async () => {
    const path = temporaryFile();
    const store = new SqliteStore({ path, driver: driver.name });
    await expect(store.keys.get('c')).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    await expect(store.counters.advance('c', COUNTERS)).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    expect(existsSync(path)).toBe(false);
    await store.close();
  });

  it('tells which file it cannot open, and why', async () => {
    const path = join(temporaryFile(), 'no folder', 'x.db');
    const store = new SqliteStore({ path, driver: driver.name });
    const error = await store.migrate().catch((error) => error);
    expect(error).toBeInstanceOf(YubikeyError);
    expect(error).toMatchObject({ code: 'STORE_FAILED', status: 503 });
    expect(error.message).toContain(path);
    await expect(store.counters.advance('c', COUNTERS)).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    await store.close();
  });

  it('makes writes durable in a file with other settings, and reports that', async () => {
    const path = temporaryFile();
    openFor(driver, path).exec('PRAGMA journal_mode = DELETE');
    const store = new SqliteStore({ path, driver: driver.name });
    expect(await store.migrate()).toEqual({
      durable: true,
      statement: expect.stringContaining('synchronous=full'),
    });
    const [row] = openFor(driver, path).prepare('PRAGMA journal_mode').all() as object[];
    expect(Object.values(row as object)).toEqual(['wal']);
    await store.close();
  });

  it('rejects with the code of an error in its thread', async () => {
    const path = temporaryFile();
    await (await openStore(driver, path)).close();
    openFor(driver, path).exec('INSERT INTO yubikey_schema (version) VALUES (999)');
    const store = new SqliteStore({ path, driver: driver.name });
    const error = await store.migrate().catch((error) => error);
    expect(error).toBeInstanceOf(YubikeyError);
    expect(error).toMatchObject({ code: 'STORE_NOT_MIGRATED', status: 500 });
    expect(error.message).toContain('999');
    await store.close();
  });

  it('fails only the verification that cannot be written, with the error of SQLite', async () => {
    const store = await openStore(driver, temporaryFile());
    const at = (n: number) => (n === 20 ? new Date(Number.NaN) : new Date());
    const outcomes = await collectOutcomes(
      ids.map((id, n) => store.counters.advance(id, COUNTERS, undefined, at(n))),
    );
    expect(outcomes.filter((outcome) => outcome !== 'OK')).toEqual([outcomes[20]]);
    expect(outcomes[20]).toMatchObject({ code: 'STORE_FAILED' });
    expect(String((outcomes[20] as Error).cause)).toMatch(/constraint/);
    expect(await store.counters.get('id 20')).toBeUndefined();
    await store.close();
  });

  it('closes once its calls are done, refuses later ones, and leaves no log behind', async () => {
    const path = temporaryFile();
    const store = await openStore(driver, path);
    const adding = store.keys.add({ publicId: 'c', aesKey: Buffer.alloc(16) });
    const closing = store.close();
    await expect(store.keys.get('c')).rejects.toMatchObject(CLOSED);
    await expect(store.counters.advance('c', COUNTERS)).rejects.toMatchObject(CLOSED);
    await expect(store.migrate()).rejects.toMatchObject(CLOSED);
    expect(await adding).toBe(true);
    await closing;
    await store.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    const after = await openStore(driver, path);
    expect(await after.keys.get('c')).toBeDefined();
    await after.close();
  });

  it('rejects waiting and later calls once a thread has ended, and accepts no OTP that was not written', async () => {
    const path = temporaryFile();
    const { store, writer } = await openStoreWithWorkers(driver, path);
    const rival = openFor(driver, path);
    rival.exec('BEGIN IMMEDIATE');
    const calls = ids.map((id) => store.counters.advance(id, COUNTERS));
    await sleep(50);
    await writer.terminate();
    rival.exec('ROLLBACK');
    for (const outcome of await collectOutcomes(calls)) expect(outcome).toMatchObject(ENDED);
    await expect(store.counters.advance('c', COUNTERS)).rejects.toMatchObject(ENDED);
    await store.close();
    const after = await openStore(driver, path);
    expect((await after.counters.list()).records).toEqual([]);
    await after.close();
  });

  it.each(['writer', 'reader'] as const)(
    'rejects all calls once its %s has ended, reads included',
    async (thread) => {
      const { store, writer, reader } = await openStoreWithWorkers(driver, temporaryFile());
      await { writer, reader }[thread].terminate();
      await expect(store.counters.get('c')).rejects.toMatchObject(ENDED);
      await expect(store.counters.advance('c', COUNTERS)).rejects.toMatchObject(ENDED);
      await store.close();
      // The id of a thread that has ended.
      expect([writer.threadId, reader.threadId]).toEqual([-1, -1]);
    },
  );

  it('asks its reading thread only for reads, and its writing thread only for writes', async () => {
    const { store, writer, reader } = await openStoreWithWorkers(driver, temporaryFile());
    const [toWriter, toReader] = [writer, reader].map((worker) => vi.spyOn(worker, 'postMessage'));
    await store.keys.add({ publicId: 'c', aesKey: Buffer.alloc(16) });
    await store.keys.replace((await store.keys.get('c')) as KeyRecord, { notes: 'new' });
    await store.keys.list({ after: 'b' });
    await store.clients.add({ id: '1', apiKey: Buffer.alloc(20) });
    await store.clients.get('1');
    for (const nonce of ['one', 'two']) await store.counters.advance('c', COUNTERS, nonce);
    await store.counters.get('c');
    await store.counters.list();
    await Promise.all([store.keys.delete('c'), store.clients.delete('1'), store.probe()]);
    const kinds = (spy: typeof toWriter) =>
      new Set(
        spy?.mock.calls.map(([[, [job, statement]]]) =>
          job === 'run' ? `run ${statement.kind}` : String(job),
        ),
      );
    expect(kinds(toReader)).toEqual(new Set(['findAll', 'run read']));
    expect(kinds(toWriter)).toEqual(new Set(['run write', 'advance', 'probe']));
    await store.close();
  });

  it('resolves every call of close() once it is closed', async () => {
    const { store, writer } = await openStoreWithWorkers(driver, temporaryFile());
    void store.close();
    await store.close();
    expect(writer.threadId).toBe(-1);
  });

  it('closes even if its thread ends meanwhile, and rejects the calls that waited', async () => {
    const path = temporaryFile();
    const { store, writer } = await openStoreWithWorkers(driver, path);
    const rival = openFor(driver, path);
    rival.exec('BEGIN IMMEDIATE');
    const advance = store.counters.advance('c', COUNTERS).catch((error) => error);
    await sleep(50);
    const closing = store.close();
    await writer.terminate();
    expect(await advance).toMatchObject(ENDED);
    await closing;
    rival.exec('ROLLBACK');
  });

  it('answers reads while a write waits', async () => {
    const path = temporaryFile();
    const store = await openStore(driver, path);
    await store.keys.add({ publicId: 'c', aesKey: Buffer.alloc(16) });
    const rival = openFor(driver, path);
    rival.exec('BEGIN IMMEDIATE');
    const advance = store.counters.advance('c', COUNTERS);
    await sleep(30);
    expect(await store.keys.get('c')).toBeDefined();
    expect(await store.counters.get('c')).toBeUndefined();
    rival.exec('COMMIT');
    expect(await advance).toMatchObject({ advanced: true });
    await store.close();
  });
});

describe('A process with a SqliteStore with a path', () => {
  const writeProgram = (load: string, end: string) => `${load}
    const store = new SqliteStore({ path: process.argv[1] });
    store.migrate()
      .then(() => store.counters.advance('c', { usageCounter: 1, sessionUse: 0, timestamp: 0 }))
      .then(async ({ advanced }) => { ${end}; console.log(advanced); });`;
  const ESM = "import { SqliteStore } from 'passport-yubikey-otp/stores';";
  const CJS = "const { SqliteStore } = require('passport-yubikey-otp/stores');";

  async function run(type: 'module' | 'commonjs', program: string): Promise<string> {
    const options = ['--no-warnings', `--input-type=${type}`, '-e', program, temporaryFile()];
    const { stdout } = await promisify(execFile)(process.execPath, options, { cwd: root, timeout: 50_000 });
    return stdout;
  }

  it.each([
    ['module', ESM],
    ['commonjs', CJS],
  ] as const)('works as %s, waits for its answers, and exits by itself', async (type, load) => {
    expect(await run(type, writeProgram(load, ''))).toBe('true\n');
    expect(await run(type, writeProgram(load, 'await store.close()'))).toBe('true\n');
  });
});
