import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, it } from 'vitest';
import { CloudVerifier, KsmVerifier, LocalKsm, MemoryStore } from '../../src/index.js';
import { SqliteStore } from '../../src/stores/index.js';
import type { CounterStore, KeyStore } from '../../src/stores/store.js';
import { describeVerifierContract, type SoftYubikey } from '../../src/testing/index.js';
import {
  API_KEY,
  CLIENT_ID,
  closeFakeServers,
  startFakeServer,
} from '../support/verifiers/cloud/fake-server.js';
import { validating } from '../support/verifiers/cloud/honest-server.js';

async function createKsmVerifier(
  store: { keys: KeyStore; counters: CounterStore },
  keys: readonly SoftYubikey[],
) {
  for (const key of keys) await store.keys.add(key);
  return new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
}

describeVerifierContract({ describe, it }, 'KsmVerifier over memory', {
  open: async (keys) => ({
    verifier: await createKsmVerifier(new MemoryStore(), keys),
    close: () => undefined,
  }),
});

describeVerifierContract({ describe, it }, 'KsmVerifier over SQLite', {
  async open(keys) {
    const folder = mkdtempSync(join(tmpdir(), 'verifier-'));
    const database = new Database(join(folder, 'keys.db'));
    const store = new SqliteStore({ database });
    await store.migrate();
    const close = () => {
      database.close();
      rmSync(folder, { recursive: true });
    };
    return { verifier: await createKsmVerifier(store, keys), close };
  },
});

describeVerifierContract(
  { describe, it },
  'CloudVerifier, at a validation server of the same protocol code',
  {
    async open(keys) {
      const server = await startFakeServer(validating(await createKsmVerifier(new MemoryStore(), keys)));
      const verifier = new CloudVerifier({ clientId: CLIENT_ID, apiKey: API_KEY, servers: [server.url] });
      const close = async () => {
        await verifier.close();
        await closeFakeServers();
      };
      return { verifier, close };
    },
    closes: true,
  },
);
