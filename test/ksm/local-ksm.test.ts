import { describe, expect, it } from 'vitest';
import { YubikeyError } from '../../src/errors.js';
import { LocalKsm } from '../../src/ksm/local-ksm.js';
import { type Otp, parseOtp } from '../../src/otp/otp.js';
import { type KeyRecord, type KeyStore, MemoryStore, type NewKey } from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { corruptOtps, genuineOtps } from '../support/vectors.js';

async function ksmWith(...keys: NewKey[]): Promise<LocalKsm> {
  const store = new MemoryStore();
  for (const key of keys) await store.keys.add(key);
  return new LocalKsm(store.keys);
}

const hex = (text: string) => Buffer.from(text, 'hex');
const failing = (error: unknown) => ({ get: () => Promise.reject(error) }) as unknown as KeyStore;

describe('LocalKsm', () => {
  it.each(genuineOtps)('decrypts $otp', async (vector) => {
    const { publicId, otp } = vector;
    const ksm = await ksmWith({ publicId, aesKey: hex(vector.aesKey), privateId: hex(vector.privateId) });
    expect(await ksm.decrypt(parseOtp(otp))).toEqual({
      ok: true,
      counters: {
        usageCounter: vector.usageCounter & 0x7fff,
        sessionUse: vector.sessionUse,
        timestamp: vector.timestampHigh * 0x1_0000 + vector.timestampLow,
      },
      capsLock: vector.capsLock,
      privateIdChecked: true,
    });
  });

  it.each(corruptOtps)('finds $otp corrupt', async ({ publicId, aesKey, otp }) => {
    const ksm = await ksmWith({ publicId, aesKey: hex(aesKey) });
    expect(await ksm.decrypt(parseOtp(otp))).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
  });

  it('does not know a key that is missing or inactive', async () => {
    const unknown = { ok: false, reason: 'UNKNOWN_KEY' };
    const yubikey = new SoftYubikey();
    const otp = parseOtp(yubikey.press());
    expect(await (await ksmWith(new SoftYubikey())).decrypt(otp)).toEqual(unknown);
    const { publicId, aesKey, privateId } = yubikey;
    expect(await (await ksmWith({ publicId, aesKey, privateId, active: false })).decrypt(otp)).toEqual(
      unknown,
    );
  });

  it('finds a key by its whole public ID, even if that is empty', async () => {
    const [none, short] = [new SoftYubikey({ publicId: '' }), new SoftYubikey({ publicId: 'c' })];
    const ksm = await ksmWith(none, short);
    for (const yubikey of [none, short]) {
      expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
    }
    expect(await ksm.decrypt(parseOtp(`c${none.press()}`))).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
  });

  it('finds an OTP with the right AES key and another private ID corrupt', async () => {
    const yubikey = new SoftYubikey({ privateId: '000000000001' });
    const { publicId, aesKey } = yubikey;
    for (const privateId of ['000000000000', '000000000101', '010000000001']) {
      const ksm = await ksmWith({ publicId, aesKey, privateId: hex(privateId) });
      expect(await ksm.decrypt(parseOtp(yubikey.press()))).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
    }
  });

  it('tells if there is no private ID to compare', async () => {
    const yubikey = new SoftYubikey();
    const ksm = await ksmWith({ publicId: yubikey.publicId, aesKey: yubikey.aesKey });
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true, privateIdChecked: false });
  });

  it('does not decide whether an OTP is fresh', async () => {
    const yubikey = new SoftYubikey();
    const ksm = await ksmWith(yubikey);
    const otp = parseOtp(yubikey.press());
    expect(await ksm.decrypt(otp)).toEqual(await ksm.decrypt(otp));
  });

  it.each([
    ['an AES key of 24 bytes', { aesKey: Buffer.alloc(24, 0xab) }],
    ['an AES key of 0 bytes', { aesKey: Buffer.alloc(0) }],
    ['a private ID of 5 bytes', { privateId: Buffer.alloc(5, 0xab) }],
    ['a private ID of 0 bytes', { privateId: Buffer.alloc(0) }],
  ])('%s is a fault of the configuration, not of the OTP', async (_, wrong) => {
    const yubikey = new SoftYubikey();
    const { publicId, aesKey, privateId } = yubikey;
    const ksm = await ksmWith({ publicId, aesKey, privateId, ...wrong });
    const error = await ksm.decrypt(parseOtp(yubikey.press())).catch((error) => error);
    expect(error).toBeInstanceOf(YubikeyError);
    expect(error).toMatchObject({ code: 'KEY_UNUSABLE', status: 500 });
    expect(error.message).toContain(publicId);
    expect(error.message).not.toMatch(/abab|171/);
  });

  it('a failing store is a fault with its error as the cause, and no secret in the message', async () => {
    const cause = new Error('connect ECONNREFUSED password=hunter2');
    const otp = parseOtp(new SoftYubikey().press());
    const error = await new LocalKsm(failing(cause)).decrypt(otp).catch((error) => error);
    expect(error).toBeInstanceOf(YubikeyError);
    expect(error).toMatchObject({ code: 'STORE_FAILED', status: 503, cause });
    expect(error.message).not.toContain('hunter2');
    expect(error.message).not.toContain(otp.token);
  });

  it('a YubikeyError of the store is passed on unchanged', async () => {
    const cause = new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate()');
    await expect(new LocalKsm(failing(cause)).decrypt(parseOtp(new SoftYubikey().press()))).rejects.toBe(
      cause,
    );
  });

  it('decrypts with the key as it is stored now, even after it has decrypted with an earlier one', async () => {
    const { keys } = new MemoryStore();
    const [first, second] = [new SoftYubikey(), new SoftYubikey()];
    const { publicId } = first;
    const programmed = new SoftYubikey({ publicId, aesKey: second.aesKey, privateId: second.privateId });
    const ksm = new LocalKsm(keys);
    const decrypt = (yubikey: SoftYubikey) => ksm.decrypt(parseOtp(yubikey.press()));
    const stored = async () => (await keys.get(publicId)) as KeyRecord;
    await keys.add(first);
    for (let touch = 0; touch < 3; touch++) expect(await decrypt(first)).toMatchObject({ ok: true });

    await keys.replace(await stored(), programmed);
    expect(await decrypt(first)).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
    expect(await decrypt(programmed)).toMatchObject({ ok: true, privateIdChecked: true });
    await keys.replace(await stored(), { active: false });
    expect(await decrypt(programmed)).toEqual({ ok: false, reason: 'UNKNOWN_KEY' });
    await keys.replace(await stored(), { active: true });
    expect(await decrypt(programmed)).toMatchObject({ ok: true });
    await keys.delete(publicId);
    expect(await decrypt(programmed)).toEqual({ ok: false, reason: 'UNKNOWN_KEY' });
  });

  it('notices an AES key whose bytes were changed in place', async () => {
    const yubikey = new SoftYubikey();
    const record = { ...yubikey, aesKey: Buffer.from(yubikey.aesKey), active: true } as unknown as KeyRecord;
    const ksm = new LocalKsm({ get: async () => record });
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
    record.aesKey.fill(0);
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toEqual({ ok: false, reason: 'CORRUPT_OTP' });
  });

  it('decrypts with more keys than it keeps ciphers for, in any order', async () => {
    const yubikeys = Array.from({ length: 2_050 }, () => new SoftYubikey());
    const ksm = await ksmWith(...yubikeys);
    for (const each of [...yubikeys, ...yubikeys.slice(0, 100), ...yubikeys.slice(-100)]) {
      const { ok } = await ksm.decrypt(parseOtp(each.press()));
      if (!ok) expect.fail(`${each.publicId} did not decrypt`);
    }
  });

  it.each([
    ['a string', new SoftYubikey().press()],
    ['undefined', undefined],
    ['a hand-made object', { value: 'c' }],
  ])('refuses %s as an OTP before it asks the store', async (_, otp) => {
    const ksm = new LocalKsm(failing(new Error('was asked')));
    await expect(ksm.decrypt(otp as Otp)).rejects.toThrow(TypeError);
  });

  it('requires a key store', () => {
    for (const keys of [undefined, null, {}, new MemoryStore()]) {
      expect(() => new LocalKsm(keys as unknown as KeyStore)).toThrow(/^LocalKsm requires/);
    }
  });
});

it('a store that returns null for a missing private ID leaves it unchecked', async () => {
  const yubikey = new SoftYubikey();
  const record = { publicId: yubikey.publicId, aesKey: yubikey.aesKey, privateId: null, active: true };
  const ksm = new LocalKsm({ get: async () => record as never });
  expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true, privateIdChecked: false });
});
