import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { KsmVerifier, LocalKsm, type Verifier } from '../../../../src/index.js';
import type { ProtocolVersion } from '../../../../src/protocol/paths.js';
import { type Listener, type VerificationEvent, validationListener } from '../../../../src/server/index.js';
import type { ValidationListenerOptions } from '../../../../src/server/validation/validation-listener.js';
import type { ClientStore, CounterStore, KeyStore } from '../../../../src/stores/index.js';
import { MemoryStore } from '../../../../src/stores/index.js';
import { SoftYubikey } from '../../../../src/testing/index.js';
import { sign } from '../../verifiers/cloud/fake-server.js';
import { listen } from '../clients/validation-server.js';

export const CLIENT = { id: '87', apiKey: 'mG5be6ZJU1qBGz24yPh/ESM3UdU=' };
export const OTHER_CLIENT = { id: '88', apiKey: 'b3RoZXIgYXBpIGtleSBvZiAyMA==' };
export const DISABLED_CLIENT = { id: '89', apiKey: 'ZGlzYWJsZWQgYXBpIGtleSAyMA==' };
export const UNKNOWN_CLIENT = { id: '4711', apiKey: 'bm9ib2R5IGtub3dzIHRoaXMgIQ==' };

export const PATHS: Record<ProtocolVersion, string> = {
  '1.0': '/wsapi/verify',
  '1.1': '/wsapi/1.1/verify',
  '2.0': '/wsapi/2.0/verify',
};
export const VERSIONS = Object.keys(PATHS) as ProtocolVersion[];

export type Fields = Record<string, string>;

export interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export interface Ask {
  method?: string | undefined;
  headers?: Record<string, string> | undefined;
  body?: string | Buffer | undefined;
}

let nonces = 0;

/** Returns a new nonce for each request. */
export const newNonce = () => `nonce${String(++nonces).padStart(20, '0')}`;

/** Signs a request as a client does, with `h` last. */
export const signed = (fields: Fields, { apiKey } = CLIENT): Fields => ({
  ...fields,
  h: sign(fields, apiKey),
});

export const formatQuery = (fields: Fields) => new URLSearchParams(fields).toString();

/** Returns the value of one line of an answer. */
export const readAnswerField = (text: string, key: string) =>
  new RegExp(`^${key}=(.*)\r$`, 'm').exec(text)?.[1];
export const readStatus = ({ text }: Reply) => readAnswerField(text, 'status');

/** A validation service on its own loopback port, with a key, clients, and a verifier that can be replaced. */
export class Service {
  readonly events: VerificationEvent[] = [];
  /** `useKsm` restores the original one. */
  verifier: Verifier;
  readonly yubikey = new SoftYubikey();
  readonly #ksmVerifier: KsmVerifier;
  private constructor(
    readonly store: { keys: KeyStore; counters: CounterStore; clients: ClientStore },
    readonly origin: string,
    readonly close: () => Promise<void>,
  ) {
    this.#ksmVerifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
    this.verifier = this.#ksmVerifier;
  }

  static async start({
    store = new MemoryStore(),
    options = {},
    mount = (listener) => listener,
  }: {
    store?: Service['store'] | undefined;
    options?: Partial<ValidationListenerOptions> | undefined;
    /** Mounts the listener in an application. */
    mount?: ((listener: Listener) => Listener) | undefined;
  } = {}): Promise<Service> {
    const service: { current?: Service | undefined } = {};
    const listener = validationListener({
      verifier: { verify: (...request) => (service.current as Service).verifier.verify(...request) },
      clients: store.clients,
      onVerification: (event) => service.current?.events.push(event),
      ...options,
    });
    const server = await listen(mount(listener));
    const { port } = server.address() as AddressInfo;
    const close = () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    service.current = new Service(store, `http://127.0.0.1:${port}`, close);
    await store.keys.add(service.current.yubikey);
    for (const { id, apiKey } of [CLIENT, OTHER_CLIENT, DISABLED_CLIENT]) {
      await store.clients.add({
        id,
        apiKey: Buffer.from(apiKey, 'base64'),
        active: id !== DISABLED_CLIENT.id,
      });
    }
    return service.current;
  }

  useKsm(): void {
    this.verifier = this.#ksmVerifier;
  }

  /** The fields of a valid request. */
  fields(changes: Fields = {}, version: ProtocolVersion = '2.0'): Fields {
    const otp = changes.otp ?? this.yubikey.press();
    return { id: CLIENT.id, otp, ...(version === '2.0' ? { nonce: newNonce() } : {}), ...changes };
  }

  /** Sends a GET request with these fields or this raw query. */
  async get(query: Fields | string, version: ProtocolVersion = '2.0'): Promise<Reply> {
    return this.send(`${PATHS[version]}?${typeof query === 'string' ? query : formatQuery(query)}`);
  }

  async post(form: Fields | string | Buffer, query = '', version: ProtocolVersion = '2.0'): Promise<Reply> {
    const body = typeof form === 'string' || Buffer.isBuffer(form) ? form : formatQuery(form);
    return this.send(PATHS[version] + query, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body,
    });
  }

  send(path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
      const request = httpRequest(this.origin + path, { method, headers: { ...length, ...headers } });
      request.on('error', reject).on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', reject).on('end', () => {
          resolve({ status: response.statusCode as number, headers: response.headers, text });
        });
      });
      request.end(body);
    });
  }

  /** Sends raw bytes and returns all that the server sends until it closes the connection. */
  raw(...parts: (string | Buffer)[]): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(Number(new URL(this.origin).port), '127.0.0.1');
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      // The server may reset the connection before it has read everything.
      socket.on('error', () => undefined).on('close', () => resolve(text));
      for (const part of parts) socket.write(part);
    });
  }
}

/** A verifier with a constant verdict. */
export const resolvingVerifier = (verdict: Awaited<ReturnType<Verifier['verify']>>): Verifier => ({
  verify: async () => verdict,
});
export const rejectingVerifier = (error: unknown): Verifier => ({ verify: () => Promise.reject(error) });
