import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Child } from '../../support/long/child.js';
import { describeWith } from '../../support/programs.js';
import { drivers, temporaryFile } from '../../support/stores/sqlite-drivers.js';

const TIMEOUT_MS = 2000;
const source = fileURLToPath(new URL('../../support/fixtures/disk.c', import.meta.url));

interface Outcome {
  outcome: unknown;
  ms: number;
}

/** A process with a store on a disk that fails on demand. */
class Service {
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  #count = 0;
  readonly #modeFile: string;

  private constructor(
    readonly child: Child,
    modeFile: string,
  ) {
    this.#modeFile = modeFile;
  }

  static async start(shim: string, path: string, driver: string, where: string): Promise<Service> {
    const modeFile = `${path}.mode`;
    writeFileSync(modeFile, 'well');
    const child = new Child('sqlite-on-command', [path, driver, where], {
      LD_PRELOAD: shim,
      DISK: modeFile,
      HANGING: `${modeFile}.hangs`,
      TIMEOUT: String(TIMEOUT_MS),
    });
    const service = new Service(child, modeFile);
    await child.nextLine();
    void service.#hear();
    await vi.waitFor(
      async () => expect((await service.ask('migrate')).outcome).toMatchObject({ durable: true }),
      20_000,
    );
    return service;
  }

  disk(mode: 'well' | 'hang' | 'fail' | 'full'): void {
    writeFileSync(this.#modeFile, mode);
  }

  /** Resolves once a sync hangs. */
  async hangs(): Promise<void> {
    await vi.waitUntil(() => existsSync(`${this.#modeFile}.hangs`), { interval: 5, timeout: 20_000 });
  }

  ask(...call: unknown[]): Promise<Outcome> {
    this.child.send([++this.#count, ...call]);
    return new Promise((resolve) => this.#waiting.set(this.#count, resolve));
  }

  async #hear(): Promise<void> {
    for (let line = await this.child.nextLine(); line !== undefined; line = await this.child.nextLine()) {
      const [n, outcome, ms] = JSON.parse(line);
      this.#waiting.get(n)?.({ outcome, ms });
    }
  }
}

const inTime = (ms: number) => ms >= TIMEOUT_MS - 5 && ms < 2 * TIMEOUT_MS;

describeWith('On a disk that fails', ['gcc'], () => {
  const folder = mkdtempSync(join(tmpdir(), 'yubikey-otp-'));
  const shim = join(folder, 'disk.so');
  beforeAll(() => {
    execFileSync('gcc', ['-shared', '-fPIC', '-o', shim, source, '-ldl']);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  describe.each(drivers)('SqliteStore with a path, through $name', ({ name }) => {
    it('answers by the deadline while a sync hangs, and recovers by itself', async () => {
      const service = await Service.start(shim, temporaryFile(), name, 'in threads');
      await service.ask('advance', 'c', 1);
      service.disk('hang');
      const begun = service.ask('advance', 'c', 2);
      await service.hangs();
      const behind = [
        service.ask('advance', 'c', 3),
        service.ask('advance', 'b', 1),
        service.ask('add', 'b'),
      ];
      const health = service.ask('probe');
      expect((await service.ask('get', 'c')).outcome).toMatchObject({ usageCounter: 1 });
      for (const { outcome, ms } of [await begun, ...(await Promise.all(behind)), await health]) {
        expect(inTime(ms)).toBe(true);
        expect(outcome).toBe(ms === (await begun).ms ? 'ANSWER_LOST' : 'STORE_FAILED');
      }
      service.disk('well');
      const again = [service.ask('advance', 'c', 2), service.ask('advance', 'b', 1), service.ask('add', 'b')];
      expect((await Promise.all(again)).map(({ outcome }) => outcome)).toEqual(['REPLAYED', 'OK', true]);
      expect((await service.ask('advance', 'c', 3)).outcome).toBe('OK');
      expect((await service.ask('probe')).outcome).toBe('done');
    });

    it('rejects close() at the deadline while a sync hangs', async () => {
      const service = await Service.start(shim, temporaryFile(), name, 'in threads');
      service.disk('hang');
      const begun = service.ask('advance', 'c', 1);
      await service.hangs();
      const { outcome, ms } = await service.ask('close');
      expect(outcome).toBe('STORE_FAILED');
      expect(inTime(ms)).toBe(true);
      expect((await begun).outcome).toBe('ANSWER_LOST');
      expect((await service.ask('advance', 'b', 1)).outcome).toBe('STORE_FAILED');
    });

    it('does not report a write as undone that its thread had begun when it died', async () => {
      const path = temporaryFile();
      const service = await Service.start(shim, path, name, 'in threads');
      service.disk('hang');
      const begun = service.ask('advance', 'c', 1);
      await service.hangs();
      const behind = service.ask('advance', 'b', 1);
      await service.ask('terminate');
      service.disk('well');
      expect((await begun).outcome).toBe('ANSWER_LOST');
      expect((await behind).outcome).toBe('STORE_FAILED');
      expect((await begun).ms).toBeLessThan(TIMEOUT_MS);
      expect((await service.ask('fault')).outcome).toBe('THREAD_ENDED');
      expect((await service.ask('advance', 'd', 1)).outcome).toBe('STORE_FAILED');
      const next = await Service.start(shim, path, name, 'in threads');
      expect((await next.ask('advance', 'c', 1)).outcome).toBe('REPLAYED');
      expect((await next.ask('advance', 'b', 1)).outcome).toBe('OK');
    });

    it('answers calls in time that came after a thousand others', async () => {
      const service = await Service.start(shim, temporaryFile(), name, 'in threads');
      service.disk('hang');
      const calls = Array.from({ length: 1000 }, (_, n) => service.ask('advance', `id ${n % 300}`, n));
      for (const { outcome, ms } of await Promise.all(calls)) {
        expect(['ANSWER_LOST', 'STORE_FAILED']).toContain(outcome);
        expect(inTime(ms)).toBe(true);
      }
      service.disk('well');
      const late = Array.from({ length: 300 }, (_, n) => service.ask('advance', `id ${n}`, 2000));
      expect((await Promise.all(late)).every(({ outcome }) => outcome === 'OK')).toBe(true);
    });
  });

  const places = drivers.flatMap(({ name }) => ['here', 'in threads'].map((where) => [name, where] as const));
  describe.each(places)('SqliteStore through %s, %s', (name, where) => {
    it.each([
      ['cannot be synced', 'fail'],
      ['is full', 'full'],
    ] as const)('accepts an OTP at most once if its commit meets a disk that %s', async (_, mode) => {
      const path = temporaryFile();
      const service = await Service.start(shim, path, name, where);
      await service.ask('advance', 'c', 1);
      service.disk(mode);
      expect((await service.ask('advance', 'c', 2)).outcome).toBe('ANSWER_LOST');
      expect((await service.ask('advance', 'b', 1)).outcome).toBe('ANSWER_LOST');
      expect((await service.ask('probe')).outcome).toBe('ANSWER_LOST');
      service.disk('well');
      expect((await service.ask('probe')).outcome).toBe('done');
      const answers = [(await service.ask('advance', 'c', 2)).outcome];
      answers.push((await service.ask('advance', 'c', 2)).outcome);
      await service.child.kill();
      const next = await Service.start(shim, path, name, where);
      answers.push((await next.ask('advance', 'c', 2)).outcome);
      expect(answers).toEqual(['OK', 'REPLAYED', 'REPLAYED']);
      // It was never answered, so it may have been accepted or not, but at most once.
      const other = [
        (await next.ask('advance', 'b', 1)).outcome,
        (await next.ask('advance', 'b', 1)).outcome,
      ];
      expect(other[1]).toBe('REPLAYED');
    });

    it('rejects with ANSWER_LOST if a commit fails that a restart may still find in the log', async () => {
      const path = temporaryFile();
      const service = await Service.start(shim, path, name, where);
      service.disk('fail');
      expect((await service.ask('advance', 'c', 1)).outcome).toBe('ANSWER_LOST');
      await service.child.kill();
      const next = await Service.start(shim, path, name, where);
      expect((await next.ask('advance', 'c', 1)).outcome).toBe('REPLAYED');
    });
  });
});
