import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** A proxy between a client and a server on loopback that loses data on demand, like a network. */
export class LossyProxy {
  readonly #pairs = new Set<Pair>();
  #isSilent = false;
  /** How many more bytes of answers and of requests may pass. */
  #left = Number.POSITIVE_INFINITY;
  #requestsLeft = Number.POSITIVE_INFINITY;
  #passed = 0;
  #asked = 0;
  readonly #server: Server;
  #target: number;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
  }

  static async start(target: number): Promise<LossyProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new LossyProxy(server, target);
    server.on('connection', (near) => proxy.#accept(near));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** From now on, the newest `count` connections carry nothing in either direction; by default, all and future ones. */
  silence(count = Number.POSITIVE_INFINITY): void {
    this.#isSilent = count === Number.POSITIVE_INFINITY;
    for (const { near, far } of [...this.#pairs].slice(-count)) {
      near.pause();
      far.pause();
    }
  }

  /** Lets new connections through; silent ones stay silent. */
  listen(): void {
    this.#isSilent = false;
  }

  /** Sends new connections to this port. */
  redirect(target: number): void {
    this.#target = target;
  }

  /** Breaks a connection once this many more bytes of requests have passed. */
  cutRequestsAfter(bytes: number): void {
    this.#requestsLeft = bytes;
  }

  /** Breaks a connection once this many more bytes of answers have passed. */
  cutAfter(bytes: number): void {
    this.#left = bytes;
  }

  /** The number of bytes of answers that passed since the last call. */
  takePassed(): number {
    const passed = this.#passed;
    this.#passed = 0;
    return passed;
  }

  /** The number of bytes of requests that passed since the last call. */
  takeAsked(): number {
    const asked = this.#asked;
    this.#asked = 0;
    return asked;
  }

  /** Breaks every connection. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(near: Socket, chunk: Buffer): void {
    this.#passed += chunk.length;
    if (chunk.length < this.#left) {
      this.#left -= chunk.length;
      near.write(chunk);
      return;
    }
    near.end(chunk.subarray(0, this.#left));
    this.#left = Number.POSITIVE_INFINITY;
  }

  #request({ near, far }: Pair, chunk: Buffer): void {
    this.#asked += chunk.length;
    if (chunk.length < this.#requestsLeft) {
      this.#requestsLeft -= chunk.length;
      far.write(chunk);
      return;
    }
    far.end(chunk.subarray(0, this.#requestsLeft));
    this.#requestsLeft = Number.POSITIVE_INFINITY;
    near.destroy();
  }

  #accept(near: Socket): void {
    const far = connect(this.#target, '127.0.0.1');
    const pair = { near, far };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    near.on('error', end).on('close', end);
    far.on('error', end).on('close', end);
    if (this.#isSilent) return;
    near.on('data', (chunk: Buffer) => this.#request(pair, chunk));
    far.on('data', (chunk: Buffer) => this.#answer(near, chunk));
  }
}
