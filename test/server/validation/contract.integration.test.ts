import type { AddressInfo } from 'node:net';
import { describe, it } from 'vitest';
import {
  CloudVerifier,
  type CloudVerifierOptions,
  KsmVerifier,
  LocalKsm,
  MemoryStore,
} from '../../../src/index.js';
import { validationListener } from '../../../src/server/index.js';
import { describeVerifierContract, type OpenVerifier, type SoftYubikey } from '../../../src/testing/index.js';
import { CA_FILE, listen } from '../../support/server/clients/validation-server.js';
import { CLIENT, PATHS } from '../../support/server/validation/service.js';

const CASES = (['2.0', '1.0'] as const).flatMap((protocol) =>
  ['http', 'https'].flatMap((scheme) => [true, false].map((hasApiKey) => ({ protocol, scheme, hasApiKey }))),
);

for (const { protocol, scheme, hasApiKey } of CASES) {
  const open = async (keys: readonly SoftYubikey[]): Promise<OpenVerifier> => {
    const store = new MemoryStore();
    for (const key of keys) await store.keys.add(key);
    await store.clients.add({ id: CLIENT.id, apiKey: Buffer.from(CLIENT.apiKey, 'base64') });
    const ksmVerifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
    const listener = validationListener({ verifier: ksmVerifier, clients: store.clients });
    const server = await listen(listener, scheme === 'https');
    const { port } = server.address() as AddressInfo;
    const options: CloudVerifierOptions = {
      clientId: CLIENT.id,
      servers: [`${scheme}://127.0.0.1:${port}${PATHS[protocol]}`],
      protocol,
      ...(hasApiKey && { apiKey: CLIENT.apiKey }),
      ca: scheme === 'https' ? CA_FILE : undefined,
    };
    const verifier = new CloudVerifier(options);
    const close = async () => {
      await verifier.close();
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    };
    return { verifier, close };
  };
  describeVerifierContract(
    { describe, it },
    `CloudVerifier at a validationListener: protocol ${protocol}, ${scheme}, ${hasApiKey ? 'with' : 'without'} an API key`,
    { open, nonces: protocol === '2.0', closes: true },
  );
}
