import { performance } from 'node:perf_hooks';
import { slotOf } from './slots.js';

/** So many commands are kept by a client before it is looked at whose server is silent. */
const MOST = 1_000;

interface Silence {
  /** When the first command was sent that has no answer, in milliseconds. */
  readonly since: number;
  /** When a command was sent last. */
  tried: number;
}

/**
 * Commands that nobody waits for any more, and that the client keeps: it has no answer, and may send them yet. Were
 * there no bound, a server that stands still would fill the memory. Servers are told apart by the slots of Redis
 * Cluster, so that the others go on.
 */
export class Unanswered {
  private count = 0;
  private readonly silent = new Map<number, Silence>();

  constructor(
    /** Milliseconds without an answer that make a server silent. */
    private readonly timeout: number,
  ) {}

  /** One command goes to a silent server all the same, then after twice the time, and so on. */
  assertRoom(key = ''): void {
    if (this.count < MOST) return;
    const silence = this.silent.get(slotOf(key));
    if (!silence) return;
    const now = performance.now();
    const { since, tried } = silence;
    if (now - since < this.timeout) return;
    if (now - tried < Math.max(this.timeout, tried - since)) {
      throw new Error(
        `The client of Redis keeps ${this.count} commands without an answer, so nothing was sent: see that Redis runs, and set the client's socketTimeout`,
      );
    }
    silence.tried = now;
  }

  /** Nobody waits any more for a command that was sent at `since`. */
  add(key = '', since: number): void {
    this.count++;
    const slot = slotOf(key);
    if (!this.silent.has(slot)) this.silent.set(slot, { since, tried: since });
  }

  remove(): void {
    this.count--;
  }

  /** The client settled a command, whichever. */
  heard(key = ''): void {
    if (this.silent.size > 0) this.silent.delete(slotOf(key));
  }
}
