import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { KsmVerifier, LocalKsm, MemoryStore, type Verifier } from '../../../../src/index.js';
import { validationListener } from '../../../../src/server/index.js';
import { SoftYubikey } from '../../../../src/testing/index.js';

const CLIENT_ID = '87';
const API_KEY = 'mG5be6ZJU1qBGz24yPh/ESM3UdU=';

const tlsFile = (name: string) => fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
const PRELOAD = new URL('./yubicloud-preload.mjs', import.meta.url);

/** A stand-in for Yubico's cloud: a validation server on loopback, with a certificate for the same host name. */
export class Yubicloud {
  readonly keys = {
    alice: new SoftYubikey(),
    bob: new SoftYubikey(),
    /** Belongs to no user. */
    stray: new SoftYubikey(),
    /** Makes the server fail. */
    fault: new SoftYubikey(),
  };

  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Yubicloud> {
    const store = new MemoryStore();
    const ksm = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
    const verifier: Verifier = {
      async verify(otp, options) {
        if (otp.publicId === cloud.keys.fault.publicId) throw new Error('The database is down');
        return ksm.verify(otp, options);
      },
    };
    const certificate = {
      key: readFileSync(tlsFile('yubico.key.pem')),
      cert: readFileSync(tlsFile('yubico.pem')),
    };
    const server = createServer(certificate, validationListener({ verifier, clients: store.clients }));
    const cloud = new Yubicloud(server);
    await store.clients.add({ id: CLIENT_ID, apiKey: Buffer.from(API_KEY, 'base64') });
    for (const key of Object.values(cloud.keys)) await store.keys.add(key);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return cloud;
  }

  /** The environment variables that the README says to set. */
  get credentials() {
    return { YUBICO_CLIENT_ID: CLIENT_ID, YUBICO_API_KEY: API_KEY };
  }

  /** Environment variables that redirect connections to the cloud to this server. */
  get network() {
    return {
      NODE_OPTIONS: `--import=${PRELOAD}`,
      NODE_EXTRA_CA_CERTS: tlsFile('yubico.pem'),
      YUBICLOUD_PORT: String((this.#server.address() as AddressInfo).port),
    };
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
