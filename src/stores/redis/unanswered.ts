import { performance } from 'node:perf_hooks';
import { hashSlot } from './cluster.js';

/** How many commands the client may keep although no caller waits for them. */
const MAX_UNANSWERED = 10_000;

interface Silence {
  /** When the first command without an answer was sent, by `performance.now()`. */
  readonly since: number;
  /** When a command was last sent to find out whether Redis answers again. */
  tried: number;
}

/**
 * Commands without an answer for which no caller waits any longer. The client keeps them, and may still send them. If
 * nothing is heard from Redis for as long as a call may take, hardly anything more is sent: so memory does not fill up,
 * calls fail at once, and the connection is idle, which is how `redis` detects that it is dead.
 */
export class Unanswered {
  /** If true, keys in different slots may be on different servers, of which each may be silent. */
  isCluster = false;
  #count = 0;
  readonly #silences = new Map<number, Silence>();
  /** Milliseconds that a call may take. */
  readonly #timeout: number;

  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /**
   * During a silence, one command is let through to try, and the next ones after ever longer waits.
   *
   * @throws Error if nothing may be sent now.
   */
  assertRoom(key: string | undefined): void {
    if (this.#count >= MAX_UNANSWERED) {
      throw new Error(
        `${MAX_UNANSWERED} commands have no answer from Redis, so nothing was sent: check that it is running`,
      );
    }
    const silence = this.#silences.size > 0 && this.#silences.get(this.#slotFor(key));
    if (!silence) return;
    const now = performance.now();
    const { since, tried } = silence;
    if (now - since < this.#timeout) return;
    if (now - tried < Math.max(this.#timeout, tried - since)) {
      throw new Error('Redis has not answered for some time, so nothing was sent: check that it is running');
    }
    silence.tried = now;
  }

  /** Adds a command that was sent at `since`, for which no caller waits any longer. */
  add(key: string | undefined, since: number): void {
    this.#count++;
    const place = this.#slotFor(key);
    if (!this.#silences.has(place)) this.#silences.set(place, { since, tried: since });
  }

  /** Called when the client settles such a command. */
  remove(): void {
    this.#count--;
  }

  /** Called when the client settles any command. */
  noteAnswer(key: string | undefined): void {
    if (this.#silences.size > 0) this.#silences.delete(this.#slotFor(key));
  }

  #slotFor(key = ''): number {
    return this.isCluster ? hashSlot(key) : 0;
  }
}
