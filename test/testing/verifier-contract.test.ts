import { describe, expect, it } from 'vitest';
import {
  type Ksm,
  KsmVerifier,
  LocalKsm,
  MemoryStore,
  type Otp,
  parseOtp,
  type Verifier,
  YubikeyError,
} from '../../src/index.js';
import { describeVerifierContract, type OpenVerifier, type SoftYubikey } from '../../src/testing/index.js';
import { CollectedTests } from '../support/testing/collected-tests.js';

async function openStore(yubikeys: readonly SoftYubikey[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const yubikey of yubikeys) await store.keys.add(yubikey);
  return store;
}

async function createVerifier(yubikeys: readonly SoftYubikey[]): Promise<Verifier> {
  const { keys, counters } = await openStore(yubikeys);
  return new KsmVerifier({ ksm: new LocalKsm(keys), counters });
}

const isFault = (error: unknown): boolean => error instanceof YubikeyError && error.code === 'KSM_FAILED';

/** A verifier of ten lines: it asks a second verifier if the first one has a fault before it saw the OTP. */
class FallbackVerifier implements Verifier {
  readonly #verifiers: readonly [Verifier, Verifier];

  constructor(...verifiers: [Verifier, Verifier]) {
    this.#verifiers = verifiers;
  }

  verify(...call: Parameters<Verifier['verify']>): ReturnType<Verifier['verify']> {
    const [first, second] = this.#verifiers;
    return first.verify(...call).catch((error) => {
      if (!isFault(error)) throw error;
      return second.verify(...call);
    });
  }
}

describeVerifierContract({ describe, it }, 'a verifier of ten lines', {
  async open(yubikeys) {
    const { keys, counters } = await openStore(yubikeys);
    const ksm = new LocalKsm(keys);
    const broken: Ksm = { decrypt: () => Promise.reject(new Error('down')) };
    return {
      verifier: new FallbackVerifier(
        new KsmVerifier({ ksm: broken, counters }),
        new KsmVerifier({ ksm, counters }),
      ),
      close: () => undefined,
    };
  },
});

/** Changes the OTPs, the options or the verdicts of a verifier. */
const changed = (verifier: Verifier, verify: (inner: Verifier, otp: Otp, options?: object) => unknown) =>
  ({ verify: async (otp, options) => verify(verifier, otp, options) }) as Verifier;

type Open = (yubikeys: readonly SoftYubikey[]) => Promise<Verifier>;

const around =
  (verify: (inner: Verifier, otp: Otp, options?: object) => unknown): Open =>
  async (yubikeys) =>
    changed(await createVerifier(yubikeys), verify);

const FAULTS: readonly [fault: string, open: Open, foundBy: string][] = [
  [
    'no OTP is used up',
    async (yubikeys) => {
      const { keys } = await openStore(yubikeys);
      const ksm = new LocalKsm(keys);
      return changed(await createVerifier([]), async (_inner, otp) => {
        const decryption = await ksm.decrypt(otp);
        return decryption.ok
          ? { ok: true, identity: { publicId: otp.publicId } }
          : { ok: false, reason: 'BAD_OTP' };
      });
    },
    'refuses the same OTP as REPLAYED_OTP, however often',
  ],
  [
    'only the last OTP is remembered',
    async (yubikeys) => {
      const { keys } = await openStore(yubikeys);
      const ksm = new LocalKsm(keys);
      const last = new Map<string, string>();
      return changed(await createVerifier([]), async (_inner, { publicId, ...otp }) => {
        if (!(await ksm.decrypt({ publicId, ...otp })).ok) return { ok: false, reason: 'BAD_OTP' };
        if (last.get(publicId) === otp.token) return { ok: false, reason: 'REPLAYED_OTP' };
        last.set(publicId, otp.token);
        return { ok: true, identity: { publicId } };
      });
    },
    'refuses an older OTP after a newer one, even from before a power-up',
  ],
  [
    'counters are read first, and written later',
    async (yubikeys) => {
      const { keys, counters } = await openStore(yubikeys);
      const advance: typeof counters.advance = async (publicId, next) => {
        const last = await counters.get(publicId);
        const current = { ...next, acceptedAt: new Date(), acceptedCount: 1 };
        if (last && last.sessionUse >= next.sessionUse) return { advanced: false, reason: 'REPLAYED_OTP' };
        await counters.advance(publicId, next);
        return { advanced: true, current, previous: undefined };
      };
      return new KsmVerifier({ ksm: new LocalKsm(keys), counters: { advance } });
    },
    'accepts an OTP that is sent fifty times at once exactly once',
  ],
  [
    'all keys share their counters',
    async (yubikeys) => {
      const { keys, counters } = await openStore(yubikeys);
      const advance: typeof counters.advance = (_publicId, ...row) => counters.advance('', ...row);
      return new KsmVerifier({ ksm: new LocalKsm(keys), counters: { advance } });
    },
    'accepts a fresh OTP, and returns its public ID',
  ],
  [
    'the private ID is not compared',
    async (yubikeys) => {
      const { keys, counters } = new MemoryStore();
      for (const { publicId, aesKey } of yubikeys) await keys.add({ publicId, aesKey });
      return new KsmVerifier({ ksm: new LocalKsm(keys), counters, allowUnpinnedKeys: true });
    },
    'refuses an unknown key and a forged OTP as BAD_OTP',
  ],
  [
    'a forgery raises the counters',
    async (yubikeys) => {
      const { keys, counters } = await openStore(yubikeys);
      const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters });
      return changed(verifier, async (inner, otp, options) => {
        const verification = await inner.verify(otp, options);
        if (!verification.ok && verification.reason === 'BAD_OTP') {
          await counters.advance(otp.publicId, { usageCounter: 0x7ff1, sessionUse: 0, timestamp: 0 });
        }
        return verification;
      });
    },
    'uses up nothing with a refused forgery',
  ],
  [
    'the public ID is not compared with the key',
    async (yubikeys) => {
      const [yubikey, other] = yubikeys as [SoftYubikey, SoftYubikey];
      const inner = await createVerifier(yubikeys);
      return changed(inner, async (inner, otp, options) => {
        const first = await inner.verify(otp, options);
        if (first.ok || first.reason !== 'BAD_OTP') return first;
        const { publicId } = otp.publicId === other.publicId ? yubikey : other;
        return inner.verify(parseOtp(publicId + otp.token), options);
      });
    },
    'refuses the token of one key with the public ID of another as BAD_OTP',
  ],
  [
    'the caps-lock bit is part of the counter',
    async (yubikeys) => {
      const { keys, counters } = await openStore(yubikeys);
      const local = new LocalKsm(keys);
      const ksm: Ksm = {
        async decrypt(otp) {
          const decryption = await local.decrypt(otp);
          if (!decryption.ok || !decryption.capsLock) return decryption;
          const usageCounter = decryption.counters.usageCounter | 0x4000;
          return { ...decryption, counters: { ...decryption.counters, usageCounter } };
        },
      };
      return new KsmVerifier({ ksm, counters });
    },
    'accepts an OTP that caps lock triggered',
  ],
  [
    'the counters are of another OTP',
    around(async (inner, otp, options) => {
      const { ok, identity } = (await inner.verify(otp, options)) as { ok: true; identity: object };
      const counters = { usageCounter: 0, sessionUse: 0, timestamp: 0 };
      return { ok, identity: { ...identity, counters } };
    }),
    'returns the counters of the OTP, if it returns counters',
  ],
  [
    'the identity has no public ID',
    around(async (inner, otp, options) => ({ ...(await inner.verify(otp, options)), identity: {} })),
    'accepts a fresh OTP, and returns its public ID',
  ],
  [
    'a replay is a bad OTP',
    around(async (inner, otp, options) => {
      const verification = await inner.verify(otp, options);
      return verification.ok ? verification : { ok: false, reason: 'BAD_OTP' };
    }),
    'refuses the same OTP as REPLAYED_OTP, however often',
  ],
  [
    'a refused OTP is a fault',
    around(async (inner, otp, options) => {
      const verification = await inner.verify(otp, options);
      if (!verification.ok) throw new YubikeyError('BACKEND_ERROR', verification.reason);
      return verification;
    }),
    'refuses an unknown key and a forged OTP as BAD_OTP',
  ],
  [
    'the nonce is ignored',
    around((inner, otp, options) => inner.verify(otp, { ...options, nonce: undefined })),
    'distinguishes a repeated request from a replay by its nonce',
  ],
  [
    'any nonce is the same',
    around((inner, otp, options) => inner.verify(otp, { ...options, nonce: 'n'.repeat(16) })),
    'distinguishes a repeated request from a replay by its nonce',
  ],
  [
    'text is taken for an OTP',
    around((inner, otp, options) => inner.verify(typeof otp === 'string' ? parseOtp(otp) : otp, options)),
    'accepts only an OTP from parseOtp, and only a well-formed nonce',
  ],
  [
    'the parts of an OTP are not compared',
    around((inner, otp, options) => inner.verify(parseOtp(otp.value), options)),
    'accepts only an OTP from parseOtp, and only a well-formed nonce',
  ],
  [
    'the signal is ignored',
    around((inner, otp, options) => inner.verify(otp, { ...options, signal: undefined })),
    'rejects with ABORTED for an aborted signal, and uses up nothing',
  ],
  [
    'anything is taken for a signal',
    around((inner, otp, options) => inner.verify(otp, { ...options, signal: undefined })),
    'refuses a value that is not an AbortSignal, and uses up nothing',
  ],
  [
    'an aborted verification is a refused OTP',
    around((inner, otp, options) =>
      inner.verify(otp, options).catch((error) => {
        if (error.code !== 'ANSWER_LOST' && error.code !== 'ABORTED') throw error;
        return { ok: false, reason: 'REPLAYED_OTP' };
      }),
    ),
    'a verification that is aborted accepts the OTP, or rejects; the OTP is accepted once at most',
  ],
  ['an OTP can be verified after close', createVerifier, 'rejects with CLOSED once it is closed'],
];

async function collectTests(open: Open): Promise<CollectedTests> {
  const collected = new CollectedTests();
  describeVerifierContract(collected, 'faulty', {
    open: async (yubikeys): Promise<OpenVerifier> => ({
      verifier: await open(yubikeys),
      close: () => undefined,
    }),
    closes: true,
  });
  return collected;
}

describe('the contract of a verifier', () => {
  it.each(FAULTS)('finds that %s', async (_fault, open, foundBy) => {
    const tests = await collectTests(open);
    const failed = await tests.run(foundBy);
    expect([...failed.keys()]).toEqual([foundBy]);
  });

  it('finds that the verifier of a KSM that refuses replays cannot tell a repeated request, unless that is declared', async () => {
    const ignoresNonces = around((inner, otp, options) =>
      inner.verify(otp, { ...options, nonce: undefined }),
    );
    const collected = new CollectedTests();
    describeVerifierContract(collected, 'without nonces', {
      open: async (yubikeys) => ({ verifier: await ignoresNonces(yubikeys), close: () => undefined }),
      nonces: false,
    });
    const failed = await collected.run('distinguishes a repeated request from a replay by its nonce');
    expect(failed).toEqual(new Map());
  });

  it('closes what it opened, also after a test that failed', async () => {
    let open = 0;
    const collected = new CollectedTests();
    describeVerifierContract(collected, 'never opened', {
      async open() {
        open++;
        const verify = () => Promise.reject(new Error('down'));
        return { verifier: { verify }, close: () => void open-- };
      },
    });
    const failed = await collected.run();
    expect(failed.size).toBe(collected.tests.length);
    expect(open).toBe(0);
  });

  it('has tests without parameters, which Jest and Mocha would take for a callback, and each name once', async () => {
    const { tests } = await collectTests(createVerifier);
    expect(tests.every(({ run }) => run.length === 0)).toBe(true);
    expect(new Set(tests.map(({ name }) => name)).size).toBe(tests.length);
  });

  it('refuses unknown options', () => {
    const options = { open: async () => ({}), nonce: false } as never;
    expect(() => describeVerifierContract(new CollectedTests(), '', options)).toThrow(/did you mean nonces/);
  });
});
