import { describe, expect, it } from 'vitest';
import { LocalKsm } from '../../src/ksm/local-ksm.js';
import { pinPrivateId } from '../../src/ksm/pin.js';
import { ReplayRefusingKsm } from '../../src/ksm/replay-refusing-ksm.js';
import { type Otp, parseOtp } from '../../src/otp/otp.js';
import { Keyring, type KeyStore, MemoryStore, newMasterKey, SealedKeyStore } from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { KsmVerifier } from '../../src/verifiers/ksm-verifier.js';

const unpinned = ({ publicId, aesKey }: SoftYubikey) => ({ publicId, aesKey });
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
const storedId = async (keys: KeyStore, publicId: string) => hex((await keys.get(publicId))?.privateId);
/** Pins with new counters, in which no OTP is used up, unless others are given. */
const pin = (
  keys: Pick<KeyStore, 'get' | 'replace'>,
  otp: Otp,
  { counters }: Pick<MemoryStore, 'counters'> = new MemoryStore(),
) => pinPrivateId(keys, counters, otp);
const press = (yubikey: SoftYubikey) => parseOtp(yubikey.press());

async function storeWith(yubikey: SoftYubikey): Promise<KeyStore> {
  const { keys } = new MemoryStore();
  await keys.add(unpinned(yubikey));
  return keys;
}

/** A store in which somebody else changes something between the first read and the write. */
function meanwhile(keys: KeyStore, interfere: () => Promise<unknown>): Pick<KeyStore, 'get' | 'replace'> {
  let pending: typeof interfere | undefined = interfere;
  return {
    get: (id) => keys.get(id),
    replace: async (expected, change) => {
      const run = pending;
      pending = undefined;
      await run?.();
      return keys.replace(expected, change);
    },
  };
}

describe('pinPrivateId', () => {
  it('stores the private ID of the OTP, which is checked from then on', async () => {
    const yubikey = new SoftYubikey();
    const keys = await storeWith(yubikey);
    expect(await pin(keys, press(yubikey))).toBe('PINNED');
    expect(await storedId(keys, yubikey.publicId)).toBe(hex(yubikey.privateId));
    const ksm = new LocalKsm(keys);
    expect(await ksm.decrypt(press(yubikey))).toMatchObject({ ok: true, privateIdChecked: true });
    const { publicId, aesKey } = yubikey;
    const forged = press(new SoftYubikey({ publicId, aesKey }));
    expect(await ksm.decrypt(forged)).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
  });

  it('does not change a key that has a private ID', async () => {
    const yubikey = new SoftYubikey();
    const { keys } = new MemoryStore();
    await keys.add(yubikey);
    const before = await keys.get(yubikey.publicId);
    expect(await pin(keys, press(yubikey))).toBe('ALREADY_PINNED');
    const { publicId, aesKey } = yubikey;
    expect(await pin(keys, press(new SoftYubikey({ publicId, aesKey })))).toBe('CORRUPT_OTP');
    expect(await keys.get(publicId)).toEqual(before);
  });

  it('knows neither a missing key nor an OTP of another AES key', async () => {
    const yubikey = new SoftYubikey();
    const keys = await storeWith(yubikey);
    expect(await pin(keys, press(new SoftYubikey()))).toBe('UNKNOWN_KEY');
    const other = new SoftYubikey({ publicId: yubikey.publicId });
    expect(await pin(keys, press(other))).toBe('CORRUPT_OTP');
    expect(await storedId(keys, yubikey.publicId)).toBeUndefined();
  });

  it('refuses a stored key of the wrong length, and an OTP that is not from parseOtp', async () => {
    const yubikey = new SoftYubikey();
    const { keys } = new MemoryStore();
    await keys.add({ publicId: yubikey.publicId, aesKey: Buffer.alloc(24) });
    await expect(pin(keys, press(yubikey))).rejects.toMatchObject({ code: 'KEY_UNUSABLE' });
    await expect(pin(keys, yubikey.press() as unknown as Otp)).rejects.toThrow(TypeError);
  });

  it('does not pin a disabled key', async () => {
    const yubikey = new SoftYubikey();
    const { keys } = new MemoryStore();
    await keys.add({ ...unpinned(yubikey), active: false });
    expect(await pin(keys, press(yubikey))).toBe('UNKNOWN_KEY');
    expect(await storedId(keys, yubikey.publicId)).toBeUndefined();
  });

  it('requires a key store and counters', async () => {
    const { keys, counters } = new MemoryStore();
    const otp = press(new SoftYubikey());
    const given = pinPrivateId as (...all: unknown[]) => Promise<unknown>;
    await expect(given(keys, otp)).rejects.toThrow('pinPrivateId requires counters');
    await expect(given(counters, counters, otp)).rejects.toThrow('pinPrivateId requires a key store');
  });
});

describe('pinPrivateId, and OTPs that were used before', () => {
  async function stored(yubikey: SoftYubikey) {
    const store = new MemoryStore();
    await store.keys.add(unpinned(yubikey));
    const verifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
    return { ...store, ksm: new ReplayRefusingKsm(store.keys, store.counters, { pinKeys: true }), verifier };
  }
  const touchAgain = expect.objectContaining({ code: 'PRIVATE_ID_UNCHECKED' });

  it('uses up the OTP for a verifier and for a KSM', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters, ksm, verifier } = await stored(yubikey);
    const [older, otp] = [press(yubikey), press(yubikey)];
    expect(await pin(keys, otp, { counters })).toBe('PINNED');
    for (const used of [older, otp]) {
      expect(await ksm.decrypt(used)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
      expect(await verifier.verify(used)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    }
    expect(await verifier.verify(press(yubikey))).toMatchObject({ ok: true });
  });

  it('refuses an OTP that a KSM has seen, and uses up all that it has seen with that private ID', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters, ksm, verifier } = await stored(yubikey);
    const [older, seen] = [press(yubikey), press(yubikey)];
    await expect(ksm.decrypt(seen)).rejects.toEqual(touchAgain);
    for (const otp of [seen, older]) expect(await pin(keys, otp, { counters })).toBe('REPLAYED_OTP');
    expect(await storedId(keys, yubikey.publicId)).toBeUndefined();
    expect(await pin(keys, press(yubikey), { counters })).toBe('PINNED');
    for (const otp of [older, seen]) {
      expect(await verifier.verify(otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    }
    expect(await verifier.verify(press(yubikey))).toMatchObject({ ok: true });
  });

  it('refuses an OTP that a verifier accepted, after the key is stored again without its private ID', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters, verifier } = await stored(yubikey);
    const otp = press(yubikey);
    await pin(keys, otp, { counters });
    const accepted = press(yubikey);
    expect(await verifier.verify(accepted)).toMatchObject({ ok: true });
    await keys.delete(yubikey.publicId);
    await keys.add(unpinned(yubikey));
    for (const used of [otp, accepted]) expect(await pin(keys, used, { counters })).toBe('REPLAYED_OTP');
    expect(await storedId(keys, yubikey.publicId)).toBeUndefined();
  });

  it('pins once with one OTP in ten places at the same time', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters } = await stored(yubikey);
    const otp = press(yubikey);
    const all = await Promise.all(Array.from({ length: 10 }, () => pin(keys, otp, { counters })));
    expect(all.filter((pinning) => pinning === 'PINNED')).toHaveLength(1);
    expect(all.filter((pinning) => pinning === 'REPLAYED_OTP')).toHaveLength(9);
  });

  it('leaves the OTP used up if the key store fails', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters, verifier } = await stored(yubikey);
    const failing = { get: keys.get.bind(keys), replace: () => Promise.reject(new Error('disk full')) };
    const otp = press(yubikey);
    await expect(pin(failing, otp, { counters })).rejects.toThrow('disk full');
    expect(await pin(keys, otp, { counters })).toBe('REPLAYED_OTP');
    expect(await pin(keys, press(yubikey), { counters })).toBe('PINNED');
    expect(await verifier.verify(otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
  });
});

describe('pinPrivateId, while somebody else changes the key', () => {
  it('keeps a disabled key disabled', async () => {
    const yubikey = new SoftYubikey();
    const keys = await storeWith(yubikey);
    const disable = async () => {
      const key = await keys.get(yubikey.publicId);
      return key && keys.replace(key, { active: false });
    };
    expect(await pin(meanwhile(keys, disable), press(yubikey))).toBe('PINNED');
    const key = await keys.get(yubikey.publicId);
    expect(key).toMatchObject({ active: false });
    expect(hex(key?.privateId)).toBe(hex(yubikey.privateId));
  });

  it('does not restore a deleted key', async () => {
    const yubikey = new SoftYubikey();
    const keys = await storeWith(yubikey);
    const remove = () => keys.delete(yubikey.publicId);
    expect(await pin(meanwhile(keys, remove), press(yubikey))).toBe('UNKNOWN_KEY');
    expect(await keys.get(yubikey.publicId)).toBeUndefined();
  });

  it('does not change a new key with the same public ID', async () => {
    const yubikey = new SoftYubikey();
    const successor = new SoftYubikey({ publicId: yubikey.publicId });
    const keys = await storeWith(yubikey);
    const reprogram = async () => {
      await keys.delete(yubikey.publicId);
      await keys.add(unpinned(successor));
    };
    expect(await pin(meanwhile(keys, reprogram), press(yubikey))).toBe('CORRUPT_OTP');
    expect(await storedId(keys, yubikey.publicId)).toBeUndefined();
  });

  it('lets the first of two pinnings decide', async () => {
    const yubikey = new SoftYubikey();
    const { publicId, aesKey } = yubikey;
    const rival = new SoftYubikey({ publicId, aesKey });
    const keys = await storeWith(yubikey);
    const pinRival = () => pin(keys, press(rival));
    expect(await pin(meanwhile(keys, pinRival), press(yubikey))).toBe('CORRUPT_OTP');
    expect(await storedId(keys, publicId)).toBe(hex(rival.privateId));
    const again = () => pin(keys, press(rival));
    expect(await pin(meanwhile(keys, again), press(rival))).toBe('ALREADY_PINNED');
  });

  it('keeps a key that was sealed again with another master key', async () => {
    const [old, current] = [newMasterKey(), newMasterKey()];
    const engine = new MemoryStore().keys;
    const rotated = new Keyring({ keys: { old, current }, current: 'current' });
    const [before, after] = [
      new SealedKeyStore(engine, new Keyring({ keys: { old, current }, current: 'old' })),
      new SealedKeyStore(engine, rotated),
    ];
    const yubikey = new SoftYubikey();
    await before.add(unpinned(yubikey));
    expect(
      await pin(
        meanwhile(after, () => after.reseal()),
        press(yubikey),
      ),
    ).toBe('PINNED');
    const onlyCurrent = new SealedKeyStore(engine, new Keyring({ keys: { current }, current: 'current' }));
    expect(await storedId(onlyCurrent, yubikey.publicId)).toBe(hex(yubikey.privateId));
  });

  it('undoes nothing if all of this happens at once', async () => {
    const [old, current] = [newMasterKey(), newMasterKey()];
    for (let round = 0; round < 200; round++) {
      const engine = new MemoryStore().keys;
      const store = (id: 'old' | 'current') =>
        new SealedKeyStore(engine, new Keyring({ keys: { old, current }, current: id }));
      const yubikey = new SoftYubikey();
      await store('old').add(unpinned(yubikey));
      const keys = store('current');
      const isDeleted = round % 2 === 1;
      await Promise.all([
        pin(keys, press(yubikey)),
        keys.reseal(),
        disable(keys, yubikey.publicId),
        isDeleted && keys.delete(yubikey.publicId),
      ]);
      const key = await keys.get(yubikey.publicId);
      if (isDeleted) expect(key).toBeUndefined();
      else expect([key?.active, hex(key?.privateId)]).toEqual([false, hex(yubikey.privateId)]);
    }
  });
});

async function disable(keys: KeyStore, publicId: string): Promise<void> {
  for (;;) {
    const key = await keys.get(publicId);
    if (!key || (await keys.replace(key, { active: false }))) return;
  }
}
