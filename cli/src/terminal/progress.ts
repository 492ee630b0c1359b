import { say } from './output.js';

const INTERVAL_MS = 100;
const CLEAR_LINE = '\r\x1b[2K';

/** A status line on standard error that changes during long work. Shown only at a terminal. */
export class Progress {
  readonly #isShown = process.stderr.isTTY === true;
  #shownAt = 0;
  #hasLine = false;

  update(text: string): void {
    if (!this.#isShown || Date.now() - this.#shownAt < INTERVAL_MS) return;
    process.stderr.write(CLEAR_LINE + text);
    this.#shownAt = Date.now();
    this.#hasLine = true;
  }

  /** Prints a message that stays, above the status line. */
  say(text: string): void {
    this.clear();
    say(text);
  }

  clear(): void {
    if (this.#hasLine) process.stderr.write(CLEAR_LINE);
    this.#hasLine = false;
    this.#shownAt = 0;
  }
}
