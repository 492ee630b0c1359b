import { unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { Child } from '../../support/long/child.js';
import { repetitions } from '../../support/long/repetitions.js';
import { drivers, temporaryFile } from '../../support/stores/sqlite-drivers.js';

const TIMES = repetitions(30, 5);
/** How many touches are accepted before the log is removed, at least. */
const TOUCHES = 50;
const IDS = Array.from({ length: 16 }, (_, n) => `id ${n}`);

/** The number of the call that waits for a fault. */
const FAULT = -1;

type Touch = readonly [id: string, usageCounter: number, isLate: boolean];
type ServiceAnswer = readonly [n: number, outcome: unknown, ms: number];

/** A process with a store that advances 16 keys again and again. */
class Service {
  readonly accepted: (readonly [id: string, usageCounter: number])[] = [];
  readonly lateAccepted: (readonly [id: string, usageCounter: number])[] = [];
  readonly #calls: Touch[] = [];
  #isMarked = false;
  #fault: unknown;

  private constructor(readonly child: Child) {}

  static async start(path: string, driver: string, where: string): Promise<Service> {
    const service = new Service(new Child('sqlite-on-command', [path, driver, where]));
    await service.child.nextLine();
    do service.child.send([0, 'migrate']);
    while ((await service.#readAnswer())[1] === 'STORE_FAILED');
    return service;
  }

  mark(): void {
    this.#isMarked = true;
  }

  /** Advances the keys, each after its previous answer, until the store has a fault. Resolves with its kind. */
  async load(): Promise<unknown> {
    this.child.send([FAULT, 'fault']);
    for (const id of IDS) this.#touch(id, 1);
    for (let open = IDS.length; open > 0; ) {
      const [n, outcome] = await this.#readAnswer();
      if (n === FAULT) {
        this.#fault = outcome;
        continue;
      }
      const [id, usageCounter, isLate] = this.#calls[n] as Touch;
      if (outcome === 'OK') (isLate ? this.lateAccepted : this.accepted).push([id, usageCounter]);
      if (this.#fault) open--;
      else this.#touch(id, usageCounter + 1);
    }
    return this.#fault;
  }

  async request(...call: unknown[]): Promise<unknown> {
    this.child.send([0, ...call]);
    return (await this.#readAnswer())[1];
  }

  #touch(id: string, usageCounter: number): void {
    const n = this.#calls.push([id, usageCounter, this.#isMarked]) - 1;
    this.child.send([n, 'advance', id, usageCounter]);
  }

  async #readAnswer(): Promise<ServiceAnswer> {
    return JSON.parse((await this.child.nextLine()) as string);
  }
}

const places = drivers.flatMap(({ name }) => ['here', 'in threads'].map((where) => [name, where] as const));
describe.each(places)('SqliteStore through %s, %s, in a process that is killed', (driver, where) => {
  it.each([
    ['log', ['-wal']],
    ["log's index", ['-shm']],
    ['log and then its index', ['-wal', '-shm']],
    ['index and then the log', ['-shm', '-wal']],
  ])('accepts no OTP twice after the %s was removed under load', async (_, parts) => {
    let touches = 0;
    for (let round = 0; round < TIMES; round++) {
      const path = temporaryFile();
      const service = await Service.start(path, driver, where);
      const load = service.load();
      await vi.waitUntil(() => service.accepted.length >= TOUCHES, { timeout: 60_000 });
      await sleep(100 * Math.random());
      for (const part of parts) unlinkSync(path + part);
      service.mark();
      expect(await load).toBe('FILE_LOST');
      expect(service.lateAccepted).toEqual([]);
      await service.child.kill();
      const next = await Service.start(path, driver, where);
      for (const touch of service.accepted) expect(await next.request('advance', ...touch)).toBe('REPLAYED');
      touches += service.accepted.length;
      await next.child.kill();
    }
    console.log(`${TIMES} times, ${touches} OTPs accepted, none twice`);
  });
});
