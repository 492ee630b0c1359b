import { describe, expect, it } from 'vitest';
import { LocalKsm } from '../../src/ksm/local-ksm.js';
import { pinPrivateId } from '../../src/ksm/pin.js';
import { type Otp, parseOtp } from '../../src/otp/otp.js';
import { Keyring, type KeyStore, MemoryStore, newMasterKey, SealedKeyStore } from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';

const unpinned = ({ publicId, aesKey }: SoftYubikey) => ({ publicId, aesKey });
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
const storedId = async (keys: KeyStore, publicId: string) => hex((await keys.get(publicId))?.privateId);
const press = (yubikey: SoftYubikey) => parseOtp(yubikey.press());

async function storeWith(yubikey: SoftYubikey): Promise<KeyStore> {
  const { keys } = new MemoryStore();
  await keys.add(unpinned(yubikey));
  return keys;
}

/** Does something of somebody else's between the first read and the write. */
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
  it('takes the private ID of the OTP, and from then on it is checked', async () => {
    const yubikey = new SoftYubikey();
    const keys = await storeWith(yubikey);
    expect(await pinPrivateId(keys, press(yubikey))).toBe('PINNED');
    expect(await storedId(keys, yubikey.publicId)).toBe(hex(yubikey.privateId));
    const ksm = new LocalKsm(keys);
    expect(await ksm.decrypt(press(yubikey))).toMatchObject({ ok: true, privateIdChecked: true });
    const { publicId, aesKey } = yubikey;
    const forged = press(new SoftYubikey({ publicId, aesKey }));
    expect(await ksm.decrypt(forged)).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
  });

  it('leaves a key alone that has one', async () => {
    const yubikey = new SoftYubikey();
    const { keys } = new MemoryStore();
    await keys.add(yubikey);
    const before = await keys.get(yubikey.publicId);
    expect(await pinPrivateId(keys, press(yubikey))).toBe('ALREADY_PINNED');
    const { publicId, aesKey } = yubikey;
    expect(await pinPrivateId(keys, press(new SoftYubikey({ publicId, aesKey })))).toBe('CORRUPT_OTP');
    expect(await keys.get(publicId)).toEqual(before);
  });

  it('knows neither a key that is not there nor an OTP of another AES key', async () => {
    const yubikey = new SoftYubikey();
    const keys = await storeWith(yubikey);
    expect(await pinPrivateId(keys, press(new SoftYubikey()))).toBe('UNKNOWN_KEY');
    const other = new SoftYubikey({ publicId: yubikey.publicId });
    expect(await pinPrivateId(keys, press(other))).toBe('CORRUPT_OTP');
    expect(await storedId(keys, yubikey.publicId)).toBeUndefined();
  });

  it('refuses a stored key of the wrong length, and what parseOtp did not make', async () => {
    const yubikey = new SoftYubikey();
    const { keys } = new MemoryStore();
    await keys.add({ publicId: yubikey.publicId, aesKey: Buffer.alloc(24) });
    await expect(pinPrivateId(keys, press(yubikey))).rejects.toMatchObject({ code: 'KEY_UNUSABLE' });
    await expect(pinPrivateId(keys, yubikey.press() as unknown as Otp)).rejects.toThrow(TypeError);
  });
});

describe('pinPrivateId, while somebody else changes the key', () => {
  it('keeps it disabled', async () => {
    const yubikey = new SoftYubikey();
    const keys = await storeWith(yubikey);
    const disable = async () => {
      const key = await keys.get(yubikey.publicId);
      return key && keys.replace(key, { active: false });
    };
    expect(await pinPrivateId(meanwhile(keys, disable), press(yubikey))).toBe('PINNED');
    const key = await keys.get(yubikey.publicId);
    expect(key).toMatchObject({ active: false });
    expect(hex(key?.privateId)).toBe(hex(yubikey.privateId));
  });

  it('does not bring a deleted one back', async () => {
    const yubikey = new SoftYubikey();
    const keys = await storeWith(yubikey);
    const remove = () => keys.delete(yubikey.publicId);
    expect(await pinPrivateId(meanwhile(keys, remove), press(yubikey))).toBe('UNKNOWN_KEY');
    expect(await keys.get(yubikey.publicId)).toBeUndefined();
  });

  it('does not write into a key that replaced it under the same public ID', async () => {
    const yubikey = new SoftYubikey();
    const successor = new SoftYubikey({ publicId: yubikey.publicId });
    const keys = await storeWith(yubikey);
    const reprogram = async () => {
      await keys.delete(yubikey.publicId);
      await keys.add(unpinned(successor));
    };
    expect(await pinPrivateId(meanwhile(keys, reprogram), press(yubikey))).toBe('CORRUPT_OTP');
    expect(await storedId(keys, yubikey.publicId)).toBeUndefined();
  });

  it('lets the first of two pinnings win', async () => {
    const yubikey = new SoftYubikey();
    const { publicId, aesKey } = yubikey;
    const rival = new SoftYubikey({ publicId, aesKey });
    const keys = await storeWith(yubikey);
    const pinRival = () => pinPrivateId(keys, press(rival));
    expect(await pinPrivateId(meanwhile(keys, pinRival), press(yubikey))).toBe('CORRUPT_OTP');
    expect(await storedId(keys, publicId)).toBe(hex(rival.privateId));
    const again = () => pinPrivateId(keys, press(rival));
    expect(await pinPrivateId(meanwhile(keys, again), press(rival))).toBe('ALREADY_PINNED');
  });

  it('keeps what was sealed anew with another master key', async () => {
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
      await pinPrivateId(
        meanwhile(after, () => after.reseal()),
        press(yubikey),
      ),
    ).toBe('PINNED');
    const onlyCurrent = new SealedKeyStore(engine, new Keyring({ keys: { current }, current: 'current' }));
    expect(await storedId(onlyCurrent, yubikey.publicId)).toBe(hex(yubikey.privateId));
  });

  it('undoes nothing when all of it happens at once', async () => {
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
        pinPrivateId(keys, press(yubikey)),
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
