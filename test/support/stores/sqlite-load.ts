import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { SqliteStore } from '../../../src/stores/index.js';

const IDS = Array.from({ length: 16 }, (_, n) => `id ${n}`);

interface Touch {
  id: string;
  usageCounter: number;
}

const advance = (store: SqliteStore, { id, usageCounter }: Touch) =>
  store.counters.advance(id, { usageCounter, sessionUse: 0, timestamp: 0 });

/** Touches 16 keys continuously, several hundred times a second, until it is stopped. */
export class Load {
  readonly accepted: Touch[] = [];
  /** Touches that began after {@link mark} and were accepted. */
  readonly acceptedLate: Touch[] = [];
  readonly faults: unknown[] = [];
  #isMarked = false;
  #isStopped = false;
  readonly #running: Promise<unknown>;
  readonly #store: SqliteStore;

  constructor(store: SqliteStore) {
    this.#store = store;
    this.#running = Promise.all(IDS.map((id) => this.#touch(id)));
  }

  /** Resolves once this many touches have been accepted. */
  async reaches(accepted: number): Promise<void> {
    while (this.accepted.length < accepted) await sleep(10);
  }

  mark(): void {
    this.#isMarked = true;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #touch(id: string): Promise<void> {
    for (let usageCounter = 1; !this.#isStopped; usageCounter++) {
      const touch = { id, usageCounter };
      const isLate = this.#isMarked;
      try {
        if (!(await advance(this.#store, touch)).advanced) throw new Error('a new touch was refused');
        (isLate ? this.acceptedLate : this.accepted).push(touch);
      } catch (error) {
        this.faults.push(error);
      }
      await sleep(10);
    }
  }
}

/** Fails if the store accepts any of these touches. */
export async function expectNoneAccepted(store: SqliteStore, touches: readonly Touch[]): Promise<void> {
  const outcomes = await Promise.all(
    touches.map((touch) =>
      advance(store, touch).then(
        ({ advanced }) => advanced,
        () => 'fault',
      ),
    ),
  );
  expect(outcomes.filter((outcome) => outcome === true)).toEqual([]);
}
