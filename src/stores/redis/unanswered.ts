import { performance } from 'node:perf_hooks';
import { hashSlot } from './cluster.js';

/** So many commands may be kept by the client although nobody waits for them. */
const MOST = 10_000;

interface Silence {
  /** When the first command was sent that has no answer, in milliseconds. */
  readonly since: number;
  /** When a command was sent last to hear whether it is over. */
  tried: number;
}

/**
 * Commands without an answer that nobody waits for any more: the client keeps them, and may send them yet. Where
 * nothing is heard for the time of a call, next to nothing more is sent: the memory does not fill, the connection is
 * idle, which is how `redis` finds that it is dead, and calls fail at once.
 */
export class Unanswered {
  /** Keys in different slots may be on different servers, each silent by itself. */
  isCluster = false;
  #count = 0;
  readonly #silences = new Map<number, Silence>();
  /** Milliseconds of a call. */
  readonly #timeout: number;

  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** One command is sent into the silence all the same, another after as long again, and so on. */
  assertRoom(key: string | undefined): void {
    if (this.#count >= MOST) {
      throw new Error(`${MOST} commands have no answer from Redis, so nothing was sent: see that it runs`);
    }
    const silence = this.#silences.size > 0 && this.#silences.get(this.#slotFor(key));
    if (!silence) return;
    const now = performance.now();
    const { since, tried } = silence;
    if (now - since < this.#timeout) return;
    if (now - tried < Math.max(this.#timeout, tried - since)) {
      throw new Error('Redis has not answered for some time, so nothing was sent: see that it runs');
    }
    silence.tried = now;
  }

  /** Nobody waits any more for a command that was sent at `since`. */
  add(key: string | undefined, since: number): void {
    this.#count++;
    const place = this.#slotFor(key);
    if (!this.#silences.has(place)) this.#silences.set(place, { since, tried: since });
  }

  /** The client settled such a command. */
  remove(): void {
    this.#count--;
  }

  /** The client settled a command, whichever. */
  noteAnswer(key: string | undefined): void {
    if (this.#silences.size > 0) this.#silences.delete(this.#slotFor(key));
  }

  #slotFor(key = ''): number {
    return this.isCluster ? hashSlot(key) : 0;
  }
}
