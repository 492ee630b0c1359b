/** A batch's share of the batches in flight, until the batch is done or slow. */
export class Place {
  readonly #timer: NodeJS.Timeout | undefined;
  #isLeft = false;
  readonly #onLeft: () => void;

  constructor(slowMs: number | undefined, onLeft: () => void) {
    this.#onLeft = onLeft;
    if (slowMs !== undefined) this.#timer = setTimeout(() => this.leave(), slowMs);
  }

  leave(): void {
    clearTimeout(this.#timer);
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#onLeft();
  }
}
