import { describe, expect, it } from 'vitest';
import {
  KsmVerifier,
  LocalKsm,
  MemoryStore,
  type Verifier,
  YubikeyError,
  type YubikeyErrorCode,
  YubikeyStrategy,
} from '../../src/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import {
  ALICE,
  anOtp,
  EXPRESSES,
  logIn,
  signInApp,
  verifierThatThrows,
  WAYS,
} from '../support/passport/app.js';

const DOWN = new Error('connect ECONNREFUSED');

const onEveryExpress = EXPRESSES.flatMap((each) => WAYS.map((way) => ({ ...each, way })));

describe.each(onEveryExpress)('a verifier without a verdict on $version, by $way', ({ express, way }) => {
  async function catchError(verifier: Verifier, otp = anOtp()) {
    const { app, reached } = signInApp(express, new YubikeyStrategy({ verifier }, () => ALICE), { way });
    const { status } = await logIn(app, { otp });
    expect(reached).toHaveLength(1);
    return { status, error: (reached[0] as { error: unknown }).error };
  }

  it.each<YubikeyErrorCode>([
    'UNREACHABLE',
    'TIMED_OUT',
    'ANSWER_FORGED',
    'ANSWER_LOST',
    'BACKEND_ERROR',
    'NOT_ENOUGH_ANSWERS',
    'STORE_FAILED',
    'KSM_FAILED',
    'ABORTED',
  ])('answers 503 for %s, with the error itself', async (code) => {
    const fault = new YubikeyError(code, 'no verdict');
    const { status, error } = await catchError(verifierThatThrows(fault));
    expect(error).toBe(fault);
    expect(status).toBe(503);
  });

  it.each<YubikeyErrorCode>([
    'NO_SUCH_CLIENT',
    'BAD_SIGNATURE',
    'OPERATION_NOT_ALLOWED',
    'MISSING_PARAMETER',
    'STORE_NOT_MIGRATED',
    'KEY_UNUSABLE',
    'PRIVATE_ID_UNCHECKED',
    'CLOSED',
  ])('answers 500 for %s, because the configuration must change', async (code) => {
    const fault = new YubikeyError(code, 'no verdict');
    const { status, error } = await catchError(verifierThatThrows(fault));
    expect(error).toBe(fault);
    expect(status).toBe(500);
  });

  it.each<[string, unknown, Verifier]>([
    ['rejects', DOWN, verifierThatThrows(DOWN)],
    ['rejects with status 200', { status: 200 }, verifierThatThrows({ status: 200 })],
    ['rejects with nothing', undefined, verifierThatThrows(undefined)],
    ["rejects with Express's word for going on", 'route', verifierThatThrows('route')],
    [
      'throws before it returns a promise',
      DOWN,
      {
        verify() {
          throw DOWN;
        },
      },
    ],
  ])(
    "answers 503 VERIFIER_FAILED with the cause if the application's own verifier %s",
    async (_how, cause, verifier) => {
      const { status, error } = await catchError(verifier);
      expect(error).toBeInstanceOf(YubikeyError);
      expect(error).toMatchObject({ code: 'VERIFIER_FAILED', status: 503, cause });
      expect(status).toBe(503);
    },
  );

  it('answers 503 STORE_FAILED if the database of the counters is down', async () => {
    const { keys } = new MemoryStore();
    const yubikey = new SoftYubikey();
    await keys.add(yubikey);
    const counters = { advance: () => Promise.reject(DOWN), get: () => Promise.reject(DOWN) };
    const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters });
    const { status, error } = await catchError(verifier, yubikey.press());
    expect(error).toMatchObject({ code: 'STORE_FAILED', cause: DOWN });
    expect(status).toBe(503);
  });

  it.each([undefined, null, true, 'OK', {}, { ok: 'yes' }, []])(
    "never signs in if the application's own verifier resolves with %j",
    async (answer) => {
      const verify = async () => answer as never;
      const strategy = new YubikeyStrategy({ verifier: { verify } }, ({ publicId }) => ({ publicId }));
      const { app, reached } = signInApp(express, strategy, { way });
      const { status } = await logIn(app, { otp: anOtp() });
      expect([401, 500, 503]).toContain(status);
      expect(reached.filter((outcome) => 'user' in outcome)).toEqual([]);
    },
  );
});
