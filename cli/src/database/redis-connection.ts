import { ANSWER_MS, awaitAnswer } from '../terminal/within.js';

/** A client of `redis`. */
interface Client {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(command: string[]): Promise<unknown>;
  destroy(): void;
}

const LOOK_MS = 500;

/** A connection to Redis that is replaced if it does not answer: its client would wait for ever. */
export class RedisConnection {
  readonly #create: () => Client;
  #client: Client;
  /** Commands without an answer. */
  #waiting = 0;
  #heardAt = performance.now();
  readonly #looking: NodeJS.Timeout;

  private constructor(create: () => Client, first: Client) {
    this.#create = create;
    this.#client = first;
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** @throws Error where Redis cannot be reached. */
  static async open(create: () => Client): Promise<RedisConnection> {
    const first = create();
    try {
      await awaitAnswer(first.connect());
    } catch (error) {
      first.destroy();
      throw error;
    }
    return new RedisConnection(create, first);
  }

  send(command: string[]): Promise<unknown> {
    const client = this.#client;
    if (!client.isReady) return client.sendCommand(command);
    if (this.#waiting === 0) this.#heardAt = performance.now();
    this.#waiting++;
    return client.sendCommand(command).finally(() => {
      if (client !== this.#client) return;
      this.#waiting--;
      this.#heardAt = performance.now();
    });
  }

  close(): void {
    clearInterval(this.#looking);
    this.#client.destroy();
  }

  #look(): void {
    const now = performance.now();
    if (this.#client.isReady && this.#waiting === 0) this.#heardAt = now;
    else if (now - this.#heardAt > ANSWER_MS) this.#replace();
  }

  #replace(): void {
    const silent = this.#client;
    this.#client = this.#create();
    this.#waiting = 0;
    this.#heardAt = performance.now();
    // Waiting commands are rejected.
    silent.destroy();
    this.#client.connect().catch(() => undefined);
  }
}
