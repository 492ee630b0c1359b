import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { YubikeyError } from '../../src/errors.js';
import type { Decryption, Ksm } from '../../src/ksm/ksm.js';
import { LocalKsm } from '../../src/ksm/local-ksm.js';
import { type Otp, parseOtp } from '../../src/otp/otp.js';
import { type CounterStore, MemoryStore } from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { KsmVerifier, type KsmVerifierOptions } from '../../src/verifiers/ksm-verifier.js';

const NONCE = 'a'.repeat(32);

let store: MemoryStore;
let yubikey: SoftYubikey;
let otp: Otp;
beforeEach(async () => {
  store = new MemoryStore();
  yubikey = new SoftYubikey();
  await store.keys.add(yubikey);
  otp = parseOtp(yubikey.press());
});

const verifier = (options: Partial<KsmVerifierOptions> = {}) =>
  new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters, ...options });
const answering = (decryption: Decryption): Ksm => ({ decrypt: async () => decryption });
const untouched = async () => expect(await store.counters.get(yubikey.publicId)).toBeUndefined();

describe('KsmVerifier', () => {
  it('returns the public ID and the counters of an OTP', async () => {
    const { counters, publicId } = yubikey;
    const verification = await verifier().verify(otp);
    expect(verification).toEqual({
      ok: true,
      identity: { publicId, counters: { ...counters, timestamp: expect.any(Number) } },
    });
    expect(await store.counters.get(publicId)).toMatchObject({ usageCounter: 1, sessionUse: 0 });
  });

  it.each([
    ['UNKNOWN_KEY', 'BAD_OTP'],
    ['CORRUPT_OTP', 'BAD_OTP'],
    ['REPLAYED_OTP', 'REPLAYED_OTP'],
  ] as const)('returns %s from the KSM as %s, and does not change counters', async (reason, verdict) => {
    const ksm = answering({ ok: false, reason });
    expect(await verifier({ ksm }).verify(otp)).toEqual({ ok: false, reason: verdict });
    await untouched();
  });

  it('does not change the counters for an OTP of another key with this public ID', async () => {
    const { publicId, aesKey } = yubikey;
    for (const forger of [new SoftYubikey({ publicId }), new SoftYubikey({ publicId, aesKey })]) {
      const forged = parseOtp(forger.press());
      expect(await verifier().verify(forged)).toEqual({ ok: false, reason: 'BAD_OTP' });
    }
    await untouched();
  });

  it('refuses an OTP whose private ID was not compared, and does not change counters', async () => {
    const { publicId, aesKey } = yubikey;
    await store.keys.delete(publicId);
    await store.keys.add({ publicId, aesKey });
    const error = await verifier()
      .verify(otp)
      .catch((error) => error);
    expect(error).toBeInstanceOf(YubikeyError);
    expect(error).toMatchObject({ code: 'PRIVATE_ID_UNCHECKED', status: 500 });
    expect(error.message).not.toContain(otp.token);
    await untouched();
    expect(await verifier({ allowUnpinnedKeys: true }).verify(otp)).toMatchObject({ ok: true });
  });

  it('checks the nonce first', async () => {
    const ksm = { decrypt: vi.fn() };
    const wrong = [
      '',
      'short',
      'a'.repeat(41),
      `${NONCE}\n`,
      'é'.repeat(16),
      1234567890123456,
      [NONCE],
      null,
    ];
    for (const nonce of wrong) {
      await expect(verifier({ ksm }).verify(otp, { nonce: nonce as string })).rejects.toThrow(TypeError);
    }
    expect(ksm.decrypt).not.toHaveBeenCalled();
  });

  it('requires a KSM, counters, and a valid tolerance', () => {
    const options = { ksm: new LocalKsm(store.keys), counters: store.counters };
    const wrong = [
      { ksm: undefined },
      { ksm: {} },
      { counters: undefined },
      { counters: store.keys },
      { delayTolerance: { absolute: -1 } },
      { delayTolerance: { absolute: Number.NaN } },
      { delayTolerance: { relative: 'much' } },
    ];
    for (const change of wrong) {
      const make = () => new KsmVerifier({ ...options, ...change } as unknown as KsmVerifierOptions);
      expect(make, JSON.stringify(change)).toThrow(TypeError);
    }
  });
});

describe('a fault is never a verdict', () => {
  const failingWith = (cause: unknown) => ({
    ksm: { decrypt: () => Promise.reject(cause) } as Ksm,
    counters: { ...store.counters, advance: () => Promise.reject(cause) } as unknown as CounterStore,
  });

  it.each([
    ['ksm', 'KSM_FAILED'],
    ['counters', 'STORE_FAILED'],
  ] as const)('rejects if %s fails, with %s and the error as its cause', async (part, code) => {
    const cause = new Error(`SQLITE_CORRUPT while inserting ${otp.value}`);
    const error = await verifier({ [part]: failingWith(cause)[part] })
      .verify(otp)
      .catch((error) => error);
    expect(error).toBeInstanceOf(YubikeyError);
    expect(error).toMatchObject({ code, status: 503, cause });
    expect(error.message).not.toContain(otp.token);
    expect(await verifier().verify(otp)).toMatchObject({ ok: true });
  });

  it.each(['ksm', 'counters'] as const)('passes on a YubikeyError of %s unchanged', async (part) => {
    const cause = new YubikeyError('UNREACHABLE', 'no route to host');
    await expect(verifier({ [part]: failingWith(cause)[part] }).verify(otp)).rejects.toBe(cause);
  });

  it('rejects even if a KSM or a store throws synchronously, or throws something that is not an Error', async () => {
    const throwing = () => {
      throw 'a string';
    };
    const counters = { ...store.counters, advance: throwing } as unknown as CounterStore;
    const error = { name: 'YubikeyError', cause: 'a string' };
    await expect(verifier({ ksm: { decrypt: throwing } }).verify(otp)).rejects.toMatchObject(error);
    await expect(verifier({ counters }).verify(otp)).rejects.toMatchObject(error);
  });
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

describe('an AbortSignal', () => {
  const ABORTED = { name: 'YubikeyError', code: 'ABORTED' };

  it('that is already aborted asks neither the KSM nor the store', async () => {
    const ksm = { decrypt: vi.fn() };
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(verifier({ ksm }).verify(otp, { signal })).rejects.toMatchObject({
      ...ABORTED,
      cause: { message: 'gone' },
    });
    expect(ksm.decrypt).not.toHaveBeenCalled();
  });

  it('that is aborted while the KSM works leaves the OTP unused', async () => {
    const controller = new AbortController();
    const local = new LocalKsm(store.keys);
    const ksm: Ksm = {
      decrypt: async (otp) => {
        controller.abort();
        return local.decrypt(otp);
      },
    };
    await expect(verifier({ ksm }).verify(otp, { signal: controller.signal })).rejects.toMatchObject(ABORTED);
    await untouched();
    expect(await verifier().verify(otp)).toMatchObject({ ok: true });
  });

  it('that is aborted while the key is looked up ends the wait with STORE_FAILED', async () => {
    const ksm = new LocalKsm({ get: () => new Promise(() => undefined) });
    const signal = AbortSignal.timeout(20);
    await expect(verifier({ ksm }).verify(otp, { signal })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      cause: { name: 'TimeoutError' },
    });
    await untouched();
  });

  it('that is aborted while a KSM without support for it is asked ends the wait with ABORTED', async () => {
    const ksm: Ksm = { decrypt: () => new Promise(() => undefined) };
    const signal = AbortSignal.timeout(20);
    await expect(verifier({ ksm }).verify(otp, { signal })).rejects.toMatchObject(ABORTED);
  });

  it('that is aborted while counters without support for it are written ends the wait with ANSWER_LOST', async () => {
    const counters: Pick<CounterStore, 'advance'> = { advance: () => new Promise(() => undefined) };
    const { signal, abort } = abortable();
    const verification = verifier({ counters }).verify(otp, { signal });
    setTimeout(abort, 20);
    await expect(verification).rejects.toMatchObject({ code: 'ANSWER_LOST', status: 503 });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('is passed to the KSM and the counters, which know what happened to the OTP', async () => {
    const refused = new YubikeyError('STORE_FAILED', 'not sent');
    const { signal, abort } = abortable();
    const counters: Pick<CounterStore, 'advance'> = {
      advance: (_publicId, _counters, _nonce, _acceptedAt, given) =>
        new Promise((_, reject) => {
          given?.addEventListener('abort', () => reject(refused));
        }),
    };
    const verification = verifier({ counters }).verify(otp, { signal });
    setTimeout(abort, 20);
    await expect(verification).rejects.toBe(refused);
  });

  it('that is aborted while the counters are written does not hide the verdict', async () => {
    const controller = new AbortController();
    const counters: Pick<CounterStore, 'advance'> = {
      advance: (...row) => {
        controller.abort();
        return store.counters.advance(...row);
      },
    };
    const verification = await verifier({ counters }).verify(otp, { signal: controller.signal });
    expect(verification).toMatchObject({ ok: true });
  });
});
