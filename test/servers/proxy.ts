import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** Stands between a client and a server on loopback, and loses what it is told to: as a network does. */
export class Proxy {
  private readonly pairs = new Set<Pair>();
  private isSilent = false;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {}

  static async start(target: number): Promise<Proxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new Proxy(server, target);
    server.on('connection', (near) => proxy.accept(near));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.pairs.size;
  }

  /** From now on, the newest so many connections, or all and those to come, carry nothing in either direction. */
  silence(count = Number.POSITIVE_INFINITY): void {
    this.isSilent = count === Number.POSITIVE_INFINITY;
    for (const { near, far } of [...this.pairs].slice(-count)) {
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  /** Lets new connections through; silent ones stay silent. */
  listen(): void {
    this.isSilent = false;
  }

  /** Breaks every connection. */
  cut(): void {
    for (const { near, far } of this.pairs) {
      near.destroy();
      far.destroy();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(near: Socket): void {
    const far = connect(this.target, '127.0.0.1');
    const pair = { near, far };
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    near.on('error', end).on('close', end);
    far.on('error', end).on('close', end);
    if (this.isSilent) return;
    near.pipe(far);
    far.pipe(near);
  }
}
