import { describe, expect, it } from 'vitest';
import { YubikeyError } from '../../src/errors.js';
import type { Decryption } from '../../src/ksm/ksm.js';
import { LocalKsm } from '../../src/ksm/local-ksm.js';
import { pinPrivateId } from '../../src/ksm/pin.js';
import { ReplayRefusingKsm, type ReplayRefusingKsmOptions } from '../../src/ksm/replay-refusing-ksm.js';
import { type Otp, parseOtp } from '../../src/otp/otp.js';
import { decryptToken, encryptToken } from '../../src/otp/token.js';
import {
  type CounterStore,
  Keyring,
  type KeyStore,
  MemoryStore,
  newMasterKey,
  SealedKeyStore,
} from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { KsmVerifier } from '../../src/verifiers/ksm-verifier.js';
import { FORGED_TOKENS, REFERENCE_AES_KEY } from '../support/ksm/forged.js';
import { STORES, type Stores } from '../support/server/ksm/stores.js';
import { around } from '../support/stores/around.js';

const REPLAYED = { ok: false, reason: 'REPLAYED_OTP' };
const UNCHECKED = { ok: true, privateIdChecked: false };
const TOUCH_AGAIN = 'PRIVATE_ID_UNCHECKED';
const CHECKED = { ok: true, privateIdChecked: true };

const referenceKey = () => new SoftYubikey({ publicId: 'cccccccccccc', aesKey: REFERENCE_AES_KEY });
const press = (yubikey: SoftYubikey) => parseOtp(yubikey.press());
const forged = FORGED_TOKENS.map((token) => parseOtp(`cccccccccccc${token}`));
/** A key with the same public ID and AES key, but another private ID. */
const forgeKey = ({ publicId, aesKey }: SoftYubikey, usageCounter = 0x7000) =>
  new SoftYubikey({ publicId, aesKey, usageCounter });
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
type Told = Decryption | typeof TOUCH_AGAIN;
const accepted = (all: readonly Told[]) => all.filter((told) => told !== TOUCH_AGAIN && told.ok);

/** A KSM as the REST API uses it. */
const pinningKsm = (
  keys: ConstructorParameters<typeof ReplayRefusingKsm>[0],
  counters: ConstructorParameters<typeof ReplayRefusingKsm>[1],
  options: ReplayRefusingKsmOptions = {},
) => new ReplayRefusingKsm(keys, counters, { pinKeys: true, ...options });

/** A KSM's answer for an OTP, including that the private ID is not known. */
async function told(ksm: ReplayRefusingKsm, otp: Otp): Promise<Told> {
  try {
    return await ksm.decrypt(otp);
  } catch (error) {
    if (error instanceof YubikeyError && error.code === TOUCH_AGAIN) return TOUCH_AGAIN;
    throw error;
  }
}

/** A store in which somebody else changes something before the next call, once. */
function once(interfere: () => Promise<unknown>): () => Promise<void> {
  let pending: typeof interfere | undefined = interfere;
  return async () => {
    const run = pending;
    pending = undefined;
    await run?.();
  };
}

describe.each(STORES)('ReplayRefusingKsm over $name', ({ open }) => {
  async function createKsm(yubikey: SoftYubikey, { pinned = false, active = true } = {}) {
    const stores = await open();
    const { publicId, aesKey } = yubikey;
    await stores.keys.add({ publicId, aesKey, active, ...(pinned && { privateId: yubikey.privateId }) });
    const ksm = pinningKsm(stores.keys, stores.counters);
    const storedId = async () => hex((await stores.keys.get(publicId))?.privateId);
    return { ...stores, ksm, storedId };
  }

  it('decrypts each OTP of a key with a private ID once', async () => {
    const yubikey = new SoftYubikey();
    const { ksm } = await createKsm(yubikey, { pinned: true });
    const [first, second, third] = [press(yubikey), press(yubikey), press(yubikey)];
    expect(await ksm.decrypt(second)).toMatchObject(CHECKED);
    for (const otp of [first, second]) expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
    expect(await ksm.decrypt(third)).toMatchObject(CHECKED);
  });

  it.each([
    ['known', true],
    ['not known', false],
  ])(
    'decrypts an OTP once out of 52 simultaneous requests if the private ID is %s, except the first OTP of an unknown one',
    async (_, pinned) => {
      const yubikey = new SoftYubikey();
      const { ksm, keys, counters } = await createKsm(yubikey, { pinned });
      const others = [1, 2, 3].map(() => pinningKsm(keys, counters));
      for (let n = 0; n < 3; n++) {
        const otp = press(yubikey);
        const all = [ksm, ...others].flatMap((one) => Array.from({ length: 13 }, () => told(one, otp)));
        const every = await Promise.all(all);
        const isFirst = !pinned && n === 0;
        expect(accepted(every)).toHaveLength(isFirst ? 0 : 1);
        expect(every.filter((one) => one === TOUCH_AGAIN)).toHaveLength(isFirst ? 1 : 0);
        const refused = every.filter((one) => one !== TOUCH_AGAIN && !one.ok);
        expect(refused).toEqual(Array(51).fill(REPLAYED));
      }
    },
  );

  it('pins the private ID with the second OTP that has it', async () => {
    const yubikey = new SoftYubikey();
    const { ksm, storedId, counters } = await createKsm(yubikey);
    const [first, second, third] = [press(yubikey), press(yubikey), press(yubikey)];
    expect(await told(ksm, first)).toBe(TOUCH_AGAIN);
    expect(await storedId()).toBeUndefined();
    expect(await counters.get(yubikey.publicId)).toBeUndefined();
    expect(await ksm.decrypt(second)).toMatchObject(CHECKED);
    expect(await storedId()).toBe(hex(yubikey.privateId));
    expect(await counters.get(yubikey.publicId)).toMatchObject({ usageCounter: 1, sessionUse: 1 });
    for (const otp of [first, second]) expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
    expect(await ksm.decrypt(third)).toMatchObject(CHECKED);
  });

  it('does not pin with OTPs that are not newer', async () => {
    const yubikey = new SoftYubikey();
    const { ksm, storedId } = await createKsm(yubikey);
    const [first, second] = [press(yubikey), press(yubikey)];
    expect(await told(ksm, second)).toBe(TOUCH_AGAIN);
    for (const otp of [second, first, second]) expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
    expect(await storedId()).toBeUndefined();
  });

  it('does not pin with another token with the same counters, nor at another KSM over the same stores', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters, ksm, storedId } = await createKsm(yubikey);
    const otp = press(yubikey);
    expect(await told(ksm, otp)).toBe(TOUCH_AGAIN);
    const token = decryptToken(otp.token, yubikey.aesKey);
    if (!token) throw new Error('The OTP does not decrypt');
    const random = token.random ^ 0xffff;
    const timestamp = token.counters.timestamp ^ 0xff;
    const sameTouch = [
      { ...token, random },
      { ...token, random, counters: { ...token.counters, timestamp } },
      { ...token, capsLock: true },
    ].map((other) => parseOtp(yubikey.publicId + encryptToken(other, yubikey.aesKey)));
    for (const other of [...sameTouch, otp]) {
      expect(await ksm.decrypt(other)).toEqual(REPLAYED);
      expect(await pinningKsm(keys, counters).decrypt(other)).toEqual(REPLAYED);
    }
    expect(await storedId()).toBeUndefined();
    expect(await counters.get(yubikey.publicId)).toBeUndefined();
  });

  it('stores the counters before the private ID, and both before it answers', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters, ksm } = await createKsm(yubikey);
    expect(await told(ksm, press(yubikey))).toBe(TOUCH_AGAIN);
    const atPinning: unknown[] = [];
    const watched = pinningKsm(
      around(keys, {
        replace: async (...given) => {
          atPinning.push(await counters.get(yubikey.publicId));
          return keys.replace(...given);
        },
      }),
      counters,
    );
    const decryption = await watched.decrypt(press(yubikey));
    expect(decryption).toMatchObject(CHECKED);
    expect(atPinning).toMatchObject([decryption.ok && decryption.counters]);
  });

  it('refuses OTPs that are older than the counters of the key, even before the private ID is known', async () => {
    const yubikey = new SoftYubikey();
    const { ksm, counters, storedId } = await createKsm(yubikey);
    const [first, second, third] = [press(yubikey), press(yubikey), press(yubikey)];
    await counters.advance(yubikey.publicId, { usageCounter: 1, sessionUse: 1, timestamp: 0 });
    for (const otp of [first, second]) expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
    expect(await storedId()).toBeUndefined();
    expect(await told(ksm, third)).toBe(TOUCH_AGAIN);
  });

  it('does not accept tokens that pass the CRC by chance, nor lets them lock out the owner', async () => {
    const yubikey = referenceKey();
    const { ksm, counters, storedId } = await createKsm(yubikey);
    const [f1, f2, f3, f4] = forged as [Otp, Otp, Otp, Otp];
    expect(await told(ksm, f1)).toBe(TOUCH_AGAIN);
    expect(await told(ksm, press(yubikey))).toBe(TOUCH_AGAIN);
    for (const otp of [f2, f3]) expect(await told(ksm, otp)).toBe(TOUCH_AGAIN);
    expect(await counters.get(yubikey.publicId)).toBeUndefined();
    expect(await storedId()).toBeUndefined();
    for (const otp of [f1, f2, f3]) expect(await ksm.decrypt(otp)).toEqual(REPLAYED);

    expect(await ksm.decrypt(press(yubikey))).toMatchObject(CHECKED);
    expect(await storedId()).toBe(hex(yubikey.privateId));
    const last = await counters.get(yubikey.publicId);
    expect(last).toMatchObject({ usageCounter: 1, sessionUse: 1 });
    for (const otp of [f1, f4]) {
      expect(await ksm.decrypt(otp)).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
    }
    expect(await counters.get(yubikey.publicId)).toEqual(last);
    expect(await ksm.decrypt(press(yubikey))).toMatchObject(CHECKED);
  });

  it('compares OTPs only with the counters of their own private ID', async () => {
    const yubikey = new SoftYubikey();
    const { ksm, storedId } = await createKsm(yubikey);
    for (let n = 0; n < 20; n++) {
      expect(await told(ksm, press(forgeKey(yubikey)))).toBe(TOUCH_AGAIN);
    }
    expect(await told(ksm, press(yubikey))).toBe(TOUCH_AGAIN);
    expect(await told(ksm, press(forgeKey(yubikey)))).toBe(TOUCH_AGAIN);
    expect(await storedId()).toBeUndefined();
    expect(await ksm.decrypt(press(yubikey))).toMatchObject(CHECKED);
  });

  it('keeps no private ID in the counter store', async () => {
    const yubikey = new SoftYubikey();
    const { ksm, counters } = await createKsm(yubikey);
    await told(ksm, press(yubikey));
    const { records } = await counters.list();
    expect(records).toHaveLength(1);
    expect(JSON.stringify(records)).not.toContain(hex(yubikey.privateId));
  });

  it('pins one private ID if second OTPs arrive at once, and decrypts each at most once', async () => {
    for (let round = 0; round < 5; round++) {
      const yubikey = new SoftYubikey();
      const { ksm, storedId } = await createKsm(yubikey);
      const otps = Array.from({ length: 8 }, () => press(yubikey));
      const shuffled = [3, 0, 7, 3, 1, 5, 7, 2, 6, 4, 0].map((n) => otps[n] as Otp);
      const decryptions = await Promise.all(shuffled.map((otp) => told(ksm, otp)));
      const counts = otps.map((otp) => accepted(decryptions.filter((_, n) => shuffled[n] === otp)).length);
      expect(Math.max(...counts)).toBe(1);
      for (const otp of otps.slice(0, 7)) expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
      expect(await ksm.decrypt(press(yubikey))).toMatchObject(CHECKED);
      expect(await storedId()).toBe(hex(yubikey.privateId));
      for (const otp of otps) expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
    }
  });

  it('uses up all OTPs that it saw before pinning, for a verifier too', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters, ksm } = await createKsm(yubikey);
    const otps = [press(yubikey), press(yubikey), press(yubikey)];
    expect(await told(ksm, otps[1] as Otp)).toBe(TOUCH_AGAIN);
    expect(await ksm.decrypt(otps[2] as Otp)).toMatchObject(CHECKED);
    const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters });
    for (const otp of otps) expect(await verifier.verify(otp)).toEqual(REPLAYED);
    const next = press(yubikey);
    expect(await verifier.verify(next)).toMatchObject({ ok: true });
    expect(await ksm.decrypt(next)).toEqual(REPLAYED);
  });

  it('decrypts no OTP of an unpinned key if it may not pin, and stores nothing', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters, storedId } = await createKsm(yubikey);
    const ksm = new ReplayRefusingKsm(keys, counters);
    const otp = press(yubikey);
    for (const one of [otp, otp, press(yubikey)]) expect(await told(ksm, one)).toBe(TOUCH_AGAIN);
    expect(await storedId()).toBeUndefined();
    expect((await counters.list()).records).toEqual([]);
  });

  it.each([true, false])(
    'decrypts each OTP once for all services with allowUnpinnedKeys; pins with the second: %s',
    async (pinKeys) => {
      const yubikey = new SoftYubikey();
      const { keys, counters, storedId } = await createKsm(yubikey);
      const ksm = new ReplayRefusingKsm(keys, counters, { pinKeys, allowUnpinnedKeys: true });
      const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters, allowUnpinnedKeys: true });
      const [first, verified, second] = [press(yubikey), press(yubikey), press(yubikey)];
      expect(await ksm.decrypt(first)).toMatchObject(UNCHECKED);
      expect(await verifier.verify(first)).toEqual(REPLAYED);
      expect(await verifier.verify(verified)).toMatchObject({ ok: true });
      for (const used of [first, verified]) expect(await ksm.decrypt(used)).toEqual(REPLAYED);
      expect(await ksm.decrypt(second)).toMatchObject(pinKeys ? CHECKED : UNCHECKED);
      for (const used of [first, verified, second]) {
        expect(await ksm.decrypt(used)).toEqual(REPLAYED);
        expect(await verifier.verify(used)).toEqual(REPLAYED);
      }
      expect(await storedId()).toBe(pinKeys ? hex(yubikey.privateId) : undefined);
    },
  );

  it('does not know a key that is missing or inactive', async () => {
    const yubikey = new SoftYubikey();
    const { ksm, counters } = await createKsm(yubikey, { active: false });
    for (const otp of [press(yubikey), press(new SoftYubikey())]) {
      expect(await ksm.decrypt(otp)).toEqual({ ok: false, reason: 'UNKNOWN_KEY' });
    }
    expect((await counters.list()).records).toEqual([]);
  });
});

interface Interference {
  stores: Stores;
  yubikey: SoftYubikey;
  first: Otp;
  ksm: ReplayRefusingKsm;
}

/** A key with one decrypted OTP, and an event while the second one is decrypted. */
async function whilePinning(
  at: 'before it is read again' | 'before it is written' | 'after it was written',
  interfere: (around: Interference) => Promise<unknown>,
  stores: Stores = new MemoryStore(),
) {
  const yubikey = new SoftYubikey();
  const { publicId, aesKey } = yubikey;
  const { keys, counters } = stores;
  await keys.add({ publicId, aesKey });
  const ksm = pinningKsm(keys, counters);
  const first = press(yubikey);
  expect(await told(ksm, first)).toBe(TOUCH_AGAIN);
  const run = once(() => interfere({ stores, yubikey, first, ksm }));
  let reads = 0;
  const interrupted = pinningKsm(
    around(keys, {
      get: async (id) => {
        reads += 1;
        if (at === 'before it is read again' && reads === 2) await run();
        return keys.get(id);
      },
      replace: async (expected, change) => {
        if (at === 'before it is written') await run();
        const replaced = await keys.replace(expected, change);
        if (at === 'after it was written') await run();
        return replaced;
      },
    }),
    counters,
  );
  const second = press(yubikey);
  const decryption = await interrupted.decrypt(second);
  expect(reads).toBeGreaterThan(1);
  return { keys, counters, ksm, yubikey, first, second, decryption };
}

describe('ReplayRefusingKsm, while it pins a private ID', () => {
  it('refuses the first OTP at the moment that the private ID becomes known', async () => {
    const replays: Decryption[] = [];
    const { decryption } = await whilePinning('after it was written', async ({ ksm, first }) =>
      replays.push(await ksm.decrypt(first)),
    );
    expect(replays).toEqual([REPLAYED]);
    expect(decryption).toMatchObject(CHECKED);
  });

  it.each(['advance', 'replace'] as const)(
    'accepts no OTP twice if the store fails halfway at %s',
    async (call) => {
      const { keys, counters } = new MemoryStore();
      const yubikey = new SoftYubikey();
      const { publicId, aesKey } = yubikey;
      await keys.add({ publicId, aesKey });
      const ksm = pinningKsm(keys, counters);
      const [first, second] = [press(yubikey), press(yubikey)];
      expect(await told(ksm, first)).toBe(TOUCH_AGAIN);
      const gone = () => Promise.reject(new Error('database is gone'));
      const failing = pinningKsm(
        call === 'replace' ? around(keys, { replace: gone }) : keys,
        call === 'replace'
          ? counters
          : {
              get: (id) => counters.get(id),
              advance: (id, ...rest) => (id === publicId ? gone() : counters.advance(id, ...rest)),
            },
      );
      await expect(failing.decrypt(second)).rejects.toMatchObject({ code: 'STORE_FAILED' });
      for (const otp of [first, second]) expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
      expect(await ksm.decrypt(press(yubikey))).toMatchObject(CHECKED);
    },
  );

  it.each(['before it is read again', 'before it is written', 'after it was written'] as const)(
    'keeps a key disabled that is disabled %s',
    async (at) => {
      const { keys, ksm, yubikey } = await whilePinning(at, async ({ stores, yubikey }) => {
        const key = await stores.keys.get(yubikey.publicId);
        return key && stores.keys.replace(key, { active: false });
      });
      expect(await keys.get(yubikey.publicId)).toMatchObject({ active: false });
      expect(await ksm.decrypt(press(yubikey))).toEqual({ ok: false, reason: 'UNKNOWN_KEY' });
    },
  );

  it.each(['before it is read again', 'before it is written'] as const)(
    'does not restore a key that is deleted %s',
    async (at) => {
      const { keys, yubikey, decryption } = await whilePinning(at, ({ stores, yubikey }) =>
        stores.keys.delete(yubikey.publicId),
      );
      expect(decryption).toEqual({ ok: false, reason: 'UNKNOWN_KEY' });
      expect(await keys.get(yubikey.publicId)).toBeUndefined();
    },
  );

  it.each(['before it is read again', 'before it is written'] as const)(
    'does not change another key that replaces it %s',
    async (at) => {
      const { keys, yubikey, decryption } = await whilePinning(at, async ({ stores, yubikey }) => {
        await stores.keys.delete(yubikey.publicId);
        const { publicId, aesKey } = new SoftYubikey({ publicId: yubikey.publicId });
        await stores.keys.add({ publicId, aesKey });
      });
      expect(decryption).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
      expect((await keys.get(yubikey.publicId))?.privateId).toBeUndefined();
    },
  );

  it.each(['before it is read again', 'before it is written'] as const)(
    'accepts a private ID that an administrator pins %s',
    async (at) => {
      const own = await whilePinning(at, async ({ stores, yubikey }) =>
        pinPrivateId(stores.keys, stores.counters, press(SoftYubikey.fromJSON(yubikey.toJSON()))),
      );
      expect(own.decryption).toMatchObject(CHECKED);
      const other = await whilePinning(at, async ({ stores, yubikey }) =>
        pinPrivateId(stores.keys, stores.counters, press(forgeKey(yubikey))),
      );
      expect(other.decryption).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
      expect(hex((await other.keys.get(other.yubikey.publicId))?.privateId)).not.toBe(
        hex(other.yubikey.privateId),
      );
    },
  );

  it.each(['before it is read again', 'before it is written', 'after it was written'] as const)(
    'pins a key that is sealed again %s',
    async (at) => {
      const engine = new MemoryStore();
      const masters = { first: newMasterKey(), second: newMasterKey() };
      const sealedBy = (current: keyof typeof masters) =>
        new SealedKeyStore(engine.keys, new Keyring({ keys: masters, current }));
      const stores = { keys: sealedBy('first'), counters: engine.counters };
      const { keys, ksm, yubikey, decryption } = await whilePinning(
        at,
        () => sealedBy('second').reseal(),
        stores,
      );
      expect(decryption).toMatchObject(CHECKED);
      expect(hex((await keys.get(yubikey.publicId))?.privateId)).toBe(hex(yubikey.privateId));
      expect(await ksm.decrypt(press(yubikey))).toMatchObject(CHECKED);
    },
  );
});

describe('ReplayRefusingKsm, with OTPs from before the private ID was known', () => {
  it.each([
    [
      'an administrator pins it',
      async ({ keys, counters }: Stores, yubikey: SoftYubikey) => {
        await pinPrivateId(keys, counters, press(yubikey));
      },
    ],
    [
      'the key is deleted and added with it',
      async ({ keys }: Stores, yubikey: SoftYubikey) => {
        await keys.delete(yubikey.publicId);
        await keys.add(yubikey);
      },
    ],
    [
      'the key is deleted and added without it',
      async ({ keys }: Stores, { publicId, aesKey }: SoftYubikey) => {
        await keys.delete(publicId);
        await keys.add({ publicId, aesKey });
      },
    ],
  ])('refuses them once %s', async (_, change) => {
    const store = new MemoryStore();
    const yubikey = new SoftYubikey();
    const { publicId, aesKey } = yubikey;
    await store.keys.add({ publicId, aesKey });
    const ksm = pinningKsm(store.keys, store.counters);
    const otp = press(yubikey);
    expect(await told(ksm, otp)).toBe(TOUCH_AGAIN);
    await change(store, yubikey);
    expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
    expect(await ksm.decrypt(press(yubikey))).toMatchObject(CHECKED);
  });

  it('refuses them even if the key has older counters', async () => {
    const store = new MemoryStore();
    const yubikey = new SoftYubikey({ usageCounter: 10 });
    const { publicId, aesKey } = yubikey;
    await store.counters.advance(publicId, { usageCounter: 3, sessionUse: 0, timestamp: 0 });
    await store.keys.add({ publicId, aesKey });
    const ksm = pinningKsm(store.keys, store.counters);
    const otp = press(yubikey);
    expect(await told(ksm, otp)).toBe(TOUCH_AGAIN);
    await store.keys.delete(publicId);
    await store.keys.add(yubikey);
    expect(await ksm.decrypt(otp)).toEqual(REPLAYED);
    expect(await ksm.decrypt(press(yubikey))).toMatchObject(CHECKED);
  });
});

describe('ReplayRefusingKsm that read a key just before its private ID was pinned', () => {
  it.each(['get', 'advance'] as const)(
    'decrypts no OTP that another process decrypts before it calls %s of the counters',
    async (call) => {
      const { keys, counters } = new MemoryStore();
      const yubikey = new SoftYubikey();
      const { publicId, aesKey } = yubikey;
      await keys.add({ publicId, aesKey });
      const asRead = await keys.get(publicId);
      await pinPrivateId(keys, counters, press(yubikey));
      const otp = press(yubikey);
      const others: Decryption[] = [];
      const other = once(async () => others.push(await pinningKsm(keys, counters).decrypt(otp)));
      const interrupted =
        <Given extends unknown[], Result>(name: string, work: (...given: Given) => Promise<Result>) =>
        async (...given: Given) => {
          if (name === call) await other();
          return work(...given);
        };
      const behind = pinningKsm(around(keys, { get: async () => asRead }), {
        get: interrupted('get', (id: string) => counters.get(id)),
        advance: interrupted('advance', (...row: Parameters<CounterStore['advance']>) =>
          counters.advance(...row),
        ),
      });
      expect(await behind.decrypt(otp)).toEqual(REPLAYED);
      expect(others).toMatchObject([CHECKED]);
    },
  );
});

it('an OTP is decrypted once by two processes, of which one has not seen the pinning, at any moment', async () => {
  for (let call = 0; call < 4; call++) {
    const { keys, counters } = new MemoryStore();
    const yubikey = new SoftYubikey();
    const { publicId, aesKey } = yubikey;
    await keys.add({ publicId, aesKey });
    const asRead = await keys.get(publicId);
    await pinPrivateId(keys, counters, press(yubikey));
    const otp = press(yubikey);
    const knowing: Decryption[] = [];
    let calls = 0;
    const interrupted =
      <Given extends unknown[], Result>(work: (...given: Given) => Promise<Result>) =>
      async (...given: Given) => {
        if (calls++ === call) knowing.push(await pinningKsm(keys, counters).decrypt(otp));
        return work(...given);
      };
    let reads = 0;
    const readOnce = async (id: string) => (reads++ === 0 ? asRead : keys.get(id));
    const behind = pinningKsm(around(keys, { get: readOnce }), {
      get: interrupted((id: string) => counters.get(id)),
      advance: interrupted((...row: Parameters<CounterStore['advance']>) => counters.advance(...row)),
    });
    knowing.push(await behind.decrypt(otp), await pinningKsm(keys, counters).decrypt(otp));
    expect(accepted(knowing), `before call ${call}`).toHaveLength(1);
  }
});

describe('ReplayRefusingKsm, if a store fails', () => {
  const yubikey = new SoftYubikey();
  const cause = new Error('connect ECONNREFUSED password=hunter2');
  const fail = () => Promise.reject(cause);

  async function stores(pinned: boolean): Promise<Stores> {
    const { keys, counters } = new MemoryStore();
    const { publicId, aesKey, privateId } = yubikey;
    await keys.add({ publicId, aesKey, ...(pinned && { privateId }) });
    return { keys, counters };
  }

  it.each([
    ['the key store', true, { get: fail }, {}],
    ['the counter store', true, {}, { advance: fail }],
    ['the counter store, for a key without a private ID,', false, {}, { advance: fail }],
    ['the counter store, read for a key without a private ID,', false, {}, { get: fail }],
  ])('%s is a fault with its error as the cause, not a verdict', async (_, pinned, key, counter) => {
    const { keys, counters } = await stores(pinned);
    const broken = {
      get: (id: string) => counters.get(id),
      advance: (...all: Parameters<CounterStore['advance']>) => counters.advance(...all),
      ...counter,
    };
    const ksm = pinningKsm(around(keys, key as Partial<KeyStore>), broken);
    const otp = press(yubikey);
    const error = await ksm.decrypt(otp).catch((error) => error);
    expect(error).toMatchObject({ name: 'YubikeyError', code: 'STORE_FAILED', status: 503, cause });
    expect(error.message).not.toMatch(/hunter2/);
    expect(error.message).not.toContain(otp.token);
    const whole = await told(pinningKsm(keys, counters), otp);
    if (pinned) expect(whole).toMatchObject(CHECKED);
    else expect(whole).toBe(TOUCH_AGAIN);
  });
});

it('the forged tokens pass the CRC, each with a different private ID', () => {
  const aesKey = Buffer.from(REFERENCE_AES_KEY, 'hex');
  const ids = FORGED_TOKENS.map((token) => hex(decryptToken(token, aesKey)?.privateId));
  expect(ids).not.toContain(undefined);
  expect(new Set(ids).size).toBe(ids.length);
});
