import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const API_KEY = 'mG5be6ZJU1qBGz24yPh/ESM3UdU=';

/** A validation server that accepts every OTP once. */
export class ValidationServer {
  readonly #used = new Set<string>();
  readonly #server: Server = createServer((req, res) =>
    res.end(this.#answer(new URL(req.url ?? '', 'http://localhost'))),
  );

  static async start(): Promise<ValidationServer> {
    const started = new ValidationServer();
    started.#server.listen(0, '127.0.0.1');
    await once(started.#server, 'listening');
    return started;
  }

  /** The environment that makes the app ask this server. */
  get environment() {
    const { port } = this.#server.address() as AddressInfo;
    return {
      YUBICO_CLIENT_ID: '87',
      YUBICO_API_KEY: API_KEY,
      YUBIKEY_SERVERS: `http://127.0.0.1:${port}/wsapi/2.0/verify`,
    };
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer({ searchParams }: URL): string {
    const otp = searchParams.get('otp') ?? '';
    const fields: Record<string, string> = {
      nonce: searchParams.get('nonce') ?? '',
      otp,
      sl: '100',
      status: this.#used.has(otp) ? 'REPLAYED_OTP' : 'OK',
      t: new Date().toISOString().replace(/Z$/, '0'),
    };
    this.#used.add(otp);
    const signed = Object.entries(fields).map((pair) => pair.join('='));
    const signature = createHmac('sha1', Buffer.from(API_KEY, 'base64')).update(signed.join('&'));
    return [`h=${signature.digest('base64')}`, ...signed, ''].join('\r\n');
  }
}
