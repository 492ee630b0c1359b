import { describe, it } from 'vitest';
import { KsmVerifier, LocalKsm, MemoryStore, RemoteKsm } from '../../../src/index.js';
import { describeVerifierContract, type OpenVerifier, type SoftYubikey } from '../../../src/testing/index.js';
import { type Protocol, rest, startKsm, wsapi } from '../../support/ksm/remote/fake-ksm.js';
import { closeFakeServers } from '../../support/verifiers/cloud/fake-server.js';

const BEHAVIOURS = { rest, wsapi };

for (const protocol of ['rest', 'wsapi'] as Protocol[]) {
  const open = async (keys: readonly SoftYubikey[]): Promise<OpenVerifier> => {
    const store = new MemoryStore();
    for (const key of keys) await store.keys.add(key);
    const local = new LocalKsm(store.keys);
    const servers = await Promise.all([1, 2].map(() => startKsm(BEHAVIOURS[protocol](local))));
    const ksm = new RemoteKsm({ protocol, urls: servers.map(({ url }) => url) });
    const close = async () => {
      await ksm.close();
      await closeFakeServers();
    };
    return { verifier: new KsmVerifier({ ksm, counters: store.counters }), close };
  };
  describeVerifierContract({ describe, it }, `KsmVerifier over a RemoteKsm with two KSMs (${protocol})`, {
    open,
  });
}
