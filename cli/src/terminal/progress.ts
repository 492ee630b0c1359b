import { say } from './output.js';

const INTERVAL_MS = 100;
const CLEAR_LINE = '\r\x1b[2K';

/** One line on standard error that changes while something long runs, where a person is there to see it. */
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

  /** A message that stays, above the line that changes. */
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
