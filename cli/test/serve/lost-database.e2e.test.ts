import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/command.js';
import { ACCEPTED, Doors, FAULTS, STOPPED_MS } from '../support/serve/doors.js';

const DATABASE = 'yubikey-otp.db';

/** Moves all that is in the log to the file, and gives a copy of it. */
function backup(cwd: string): string {
  moveLog(join(cwd, DATABASE));
  copyFileSync(join(cwd, DATABASE), join(cwd, 'backup.db'));
  return join(cwd, 'backup.db');
}

function moveLog(file: string): void {
  const database = new LibsqlDatabase(file);
  database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
  database.close();
}

describe('a service whose database file was', () => {
  const CASES: [string, (file: string, copy: string) => void][] = [
    ['replaced by a backup', (file, copy) => renameSync(copy, file)],
    [
      'overwritten by a backup',
      (file, copy) => {
        moveLog(file);
        copyFileSync(copy, file);
      },
    ],
    ['renamed', (file) => renameSync(file, `${file}.old`)],
    ['removed', (file) => rmSync(file)],
    ['removed with its log', (file) => ['', '-wal', '-shm'].map((suffix) => rmSync(file + suffix))],
  ];
  it.each(CASES)(
    '%s refuses everything, says so once, and stays until it is stopped',
    async (_name, lose) => {
      const cwd = temporaryFolder();
      const doors = await Doors.open(undefined, { cwd });
      const copy = backup(cwd);
      const used = doors.press();
      expect(await doors.verify(used)).toBe('OK');
      await doors.becomes('ready');
      lose(join(cwd, DATABASE), copy);
      // One of many answers at once finds it, and no other one is OK.
      expect(await Promise.all([doors.verify(doors.press()), doors.verify(used)])).not.toContain('OK');
      await doors.becomes('unready');
      for (let times = 0; times < 3; times++) {
        expect(await doors.ask()).toMatchObject({ validation: FAULTS.validation, rest: FAULTS.rest });
        expect(await doors.verify(used)).not.toBe('OK');
      }
      const said = doors.service.lines.filter(({ msg }) => msg === 'refusing everything');
      expect(said).toMatchObject([{ level: 'error', error: { code: 'STORE_FAILED' } }]);
      expect(doors.service.stderr).toMatch(/^Error: .*[Ss]top the service/m);
      expect(doors.service.child.exitCode).toBeNull();
      const { code, milliseconds } = await doors.stop();
      expect(code).toBe(0);
      expect(milliseconds).toBeLessThan(STOPPED_MS);
    },
  );

  it('replaced while idle says so when its readiness is asked for', async () => {
    const cwd = temporaryFolder();
    const doors = await Doors.open(undefined, { cwd });
    await doors.becomes('ready');
    renameSync(backup(cwd), join(cwd, DATABASE));
    await doors.becomes('unready');
    await doors.service.line({ msg: 'refusing everything', level: 'error' });
  });
});

/** Ends the threads of the process at SIGUSR2, as a lack of memory does. */
const END_THREADS = `
  const threads = require('node:worker_threads');
  if (threads.isMainThread) {
    threads.Worker = class extends threads.Worker {
      constructor(...args) {
        super(...args);
        process.on('SIGUSR2', () => this.terminate());
      }
    };
    require('node:module').syncBuiltinESMExports();
  }`;

describe('a service whose SQLite thread ended', () => {
  it('stops with an exit code that makes a supervisor restart it, and then works', async () => {
    const cwd = temporaryFolder();
    const preload = join(temporaryFolder(), 'end-threads.cjs');
    writeFileSync(preload, END_THREADS);
    const doors = await Doors.open(undefined, { cwd, env: { NODE_OPTIONS: `--require ${preload}` } });
    expect(await doors.ask()).toMatchObject(ACCEPTED);
    const startedAt = performance.now();
    doors.service.child.kill('SIGUSR2');
    const { code, stderr } = await doors.service.ended;
    expect(performance.now() - startedAt).toBeLessThan(STOPPED_MS);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error: The thread of SqliteStore ended/m);
    expect(await doors.service.line({ msg: 'stopping' })).toMatchObject({
      level: 'error',
      error: { code: 'STORE_FAILED' },
    });
    const again = await doors.again();
    expect(await again.ask()).toMatchObject(ACCEPTED);
  });
});
