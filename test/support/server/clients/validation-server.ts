import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { KsmVerifier, LocalKsm } from '../../../../src/index.js';
import { type Listener, validationListener } from '../../../../src/server/index.js';
import { MemoryStore } from '../../../../src/stores/index.js';
import { SoftYubikey } from '../../../../src/testing/index.js';

/** A validation server as its clients see it. */
export interface ValidationServer {
  /** The URL of protocol 2.0. */
  readonly url: string;
  /** The authority to trust, if the URL is `https:`. */
  readonly caFile: string | undefined;
  readonly clientId: string;
  /** Base64. */
  readonly apiKey: string;
  /** A YubiKey that the server knows. */
  readonly yubikey: SoftYubikey;
  close(): Promise<void>;
}

interface ValidationServerOptions {
  tls?: boolean | undefined;
}

export type StartValidationServer = (options?: ValidationServerOptions) => Promise<ValidationServer>;

const CLIENT_ID = '87';
const API_KEY = 'mG5be6ZJU1qBGz24yPh/ESM3UdU=';
export const tlsFile = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
export const CA_FILE = tlsFile('ca.pem');

/** A `validationListener` in this process. */
export const startListener: StartValidationServer = async ({ tls = false } = {}) => {
  const store = new MemoryStore();
  const yubikey = new SoftYubikey();
  await store.keys.add(yubikey);
  await store.clients.add({ id: CLIENT_ID, apiKey: Buffer.from(API_KEY, 'base64') });
  const verifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
  const server = await listen(validationListener({ verifier, clients: store.clients }), tls);
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/wsapi/2.0/verify`,
    caFile: tls ? CA_FILE : undefined,
    clientId: CLIENT_ID,
    apiKey: API_KEY,
    yubikey,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** Starts a server on a free loopback port. */
export async function listen(listener: Listener, tls = false): Promise<Server> {
  const server = tls
    ? createTlsServer(
        { key: readFileSync(tlsFile('server.key.pem')), cert: readFileSync(tlsFile('server.pem')) },
        listener,
      )
    : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server as Server;
}
