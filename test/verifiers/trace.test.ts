import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type Ksm,
  KsmVerifier,
  LocalKsm,
  MemoryStore,
  type Otp,
  parseOtp,
  type Verification,
  type Verifier,
  type VerifyMessage,
  verifySequence,
  YubikeyError,
  YubikeyStrategy,
} from '../../src/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { traceVerification } from '../../src/verifiers/trace.js';
import { record } from '../support/diagnostics.js';

const verify = tracingChannel<unknown, VerifyMessage>('passport-yubikey-otp:verify');

let store: MemoryStore;
let yubikey: SoftYubikey;
let verifier: KsmVerifier;
beforeEach(async () => {
  store = new MemoryStore();
  yubikey = new SoftYubikey();
  await store.keys.add(yubikey);
  verifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
});
const touch = (key = yubikey) => parseOtp(key.press());

const ACCEPTED = ['verify:start', 'verify:end', 'verify:asyncStart', 'verify:asyncEnd'];
const FAILED = ['verify:start', 'verify:end', 'verify:error', 'verify:asyncStart', 'verify:asyncEnd'];

describe('the trace of a KsmVerifier', () => {
  it('has one message for each verification, with the verdict that the caller gets', async () => {
    const recording = record();
    const verification = await verifier.verify(touch());
    expect(recording.names).toEqual(ACCEPTED);
    expect(new Set(recording.messages).size).toBe(1);
    expect(recording.verifications).toEqual([
      { verifier: 'KsmVerifier', publicId: yubikey.publicId, result: verification },
    ]);
    expect(recording.verifications[0]?.result).toMatchObject({ ok: true });
  });

  it('tells the verdict only after `end`', async () => {
    const results: [string, boolean][] = [];
    const subscriber = (name: string) => (message: VerifyMessage) => {
      results.push([name, 'result' in message]);
    };
    const subscribers = {
      start: subscriber('start'),
      end: subscriber('end'),
      asyncStart: subscriber('asyncStart'),
      asyncEnd: subscriber('asyncEnd'),
      error: subscriber('error'),
    };
    verify.subscribe(subscribers);
    onTestFinished(() => verify.unsubscribe(subscribers));
    await verifier.verify(touch());
    expect(results).toEqual([
      ['start', false],
      ['end', false],
      ['asyncStart', true],
      ['asyncEnd', true],
    ]);
  });

  const delayed = { usageCounter: 1, sessionUse: 1, timestamp: 0, acceptedCount: 1 };
  it.each<[string, () => Promise<Verification>, string, string[]]>([
    ['an unknown key', () => verifier.verify(touch(new SoftYubikey())), 'BAD_OTP', ['refusal']],
    [
      'a forged OTP',
      () => verifier.verify(touch(new SoftYubikey({ publicId: yubikey.publicId }))),
      'BAD_OTP',
      ['refusal'],
    ],
    [
      'a replay',
      async () => {
        const otp = touch();
        await store.counters.advance(yubikey.publicId, yubikey.counters);
        return verifier.verify(otp);
      },
      'REPLAYED_OTP',
      ['refusal', 'replay'],
    ],
    [
      'a repeated request',
      async () => {
        const otp = touch();
        await store.counters.advance(yubikey.publicId, yubikey.counters, 'n'.repeat(16));
        return verifier.verify(otp, { nonce: 'n'.repeat(16) });
      },
      'REPLAYED_REQUEST',
      ['refusal', 'replay'],
    ],
    [
      'a delayed OTP',
      () => {
        const previous = { ...delayed, acceptedAt: new Date(0) };
        const current = { ...delayed, acceptedAt: new Date(3_600_000) };
        const counters = { advance: async () => ({ advanced: true, current, previous }) as const };
        const ksm = new LocalKsm(store.keys);
        return new KsmVerifier({ ksm, counters, delayTolerance: true }).verify(touch());
      },
      'DELAYED_OTP',
      ['refusal'],
    ],
  ])(
    'has the refusal of %s, which is also published with code and public ID',
    async (_, ask, reason, plain) => {
      const recording = record();
      await ask();
      const { publicId } = recording.verifications[0] as VerifyMessage;
      expect(recording.names).toEqual([
        'verify:start',
        'verify:end',
        ...plain,
        'verify:asyncStart',
        'verify:asyncEnd',
      ]);
      expect(recording.verifications).toMatchObject([{ result: { ok: false, reason } }]);
      const message = { verifier: 'KsmVerifier', publicId, reason };
      expect(recording.plain('refusal')).toEqual([message]);
      expect(recording.plain('replay')).toEqual(plain.includes('replay') ? [message] : []);
    },
  );

  const failing = (error: unknown): Ksm => ({ decrypt: () => Promise.reject(error) });
  const unpinned: Ksm = {
    decrypt: async () => ({ ok: true, counters: yubikey.counters, capsLock: false, privateIdChecked: false }),
  };
  const down = { advance: () => Promise.reject(new Error('ECONNREFUSED')) };
  const lost = { advance: () => Promise.reject(new YubikeyError('ANSWER_LOST', 'The answer was lost')) };
  const unused = { advance: () => expect.unreachable() };
  it.each<[string, () => Promise<Verification>]>([
    [
      'KSM_FAILED',
      () => new KsmVerifier({ ksm: failing(new Error('down')), counters: unused }).verify(touch()),
    ],
    [
      'CLOSED',
      () =>
        new KsmVerifier({ ksm: failing(new YubikeyError('CLOSED', 'closed')), counters: unused }).verify(
          touch(),
        ),
    ],
    ['PRIVATE_ID_UNCHECKED', () => new KsmVerifier({ ksm: unpinned, counters: unused }).verify(touch())],
    [
      'STORE_FAILED',
      () => new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: down }).verify(touch()),
    ],
    ['ANSWER_LOST', () => new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: lost }).verify(touch())],
    ['ABORTED', () => verifier.verify(touch(), { signal: AbortSignal.abort() })],
  ])('has the fault %s, without its cause', async (code, ask) => {
    const recording = record();
    const error = await ask().catch((reason: unknown) => reason as YubikeyError);
    expect(error).toMatchObject({ code });
    expect(recording.names).toEqual(FAILED);
    const [message] = recording.verifications as [VerifyMessage];
    expect(message).toMatchObject({ verifier: 'KsmVerifier', publicId: yubikey.publicId, error: { code } });
    expect(message.error).toBeInstanceOf(YubikeyError);
    expect(message.error).not.toHaveProperty('cause');
    const { message: text, stack, servers, status } = error as YubikeyError;
    expect({ ...message.error, text: message.error?.message, stack: message.error?.stack }).toMatchObject({
      text,
      stack,
      servers,
      status,
    });
  });

  it('leaves the cause to the caller', async () => {
    record();
    const cause = new Error('down');
    const failed = new KsmVerifier({ ksm: failing(cause), counters: unused });
    await expect(failed.verify(touch())).rejects.toMatchObject({ code: 'KSM_FAILED', cause });
  });

  it.each<[string, unknown, unknown]>([
    ['text', () => yubikey.press(), {}],
    ['nothing', () => undefined, {}],
    ['an OTP as its public ID', () => ({ ...touch(), publicId: yubikey.press() }), {}],
    ['a nonce that is too short', touch, { nonce: 'short' }],
    ['an unknown option', touch, { nonse: 'n'.repeat(16) }],
    ['something else than a signal', touch, { signal: 'abort' }],
  ])('has the TypeError of a malformed argument: %s', async (_, otp, options) => {
    const recording = record();
    const argument = (otp as () => unknown)();
    await expect(verifier.verify(argument as Otp, options as never)).rejects.toThrow(TypeError);
    expect(recording.names).toEqual(FAILED);
    const publicId = otp === touch ? yubikey.publicId : undefined;
    expect(recording.verifications).toMatchObject([{ publicId, error: expect.any(TypeError) }]);
  });
});

describe('the trace of verifySequence', () => {
  it('has one verification for each OTP', async () => {
    const recording = record();
    expect(await verifySequence(verifier, [touch(), touch(), touch()])).toMatchObject({ ok: true });
    expect(recording.names).toEqual([...ACCEPTED, ...ACCEPTED, ...ACCEPTED]);
    expect(recording.verifications.map(({ result }) => result?.ok)).toEqual([true, true, true]);
  });

  it('publishes what only the sequence shows as a refusal of its own', async () => {
    const recording = record();
    const other = new SoftYubikey();
    await verifySequence(verifier, [touch(), touch(other)]);
    expect(recording.names).toEqual(['refusal']);
    const first = touch();
    yubikey.replug();
    await verifySequence(verifier, [first, touch()]);
    expect(recording.plain('refusal')).toEqual(
      ['BAD_OTP', 'DELAYED_OTP'].map((reason) => ({
        verifier: 'verifySequence',
        publicId: yubikey.publicId,
        reason,
      })),
    );
  });

  it('publishes a refusal of the verifier once', async () => {
    const otp = touch();
    await verifier.verify(otp);
    const recording = record();
    await verifySequence(verifier, [otp, touch()]);
    expect(recording.plain('refusal')).toMatchObject([{ verifier: 'KsmVerifier', reason: 'REPLAYED_OTP' }]);
    expect(recording.plain('replay')).toEqual(recording.plain('refusal'));
  });

  it('publishes no text that is not a public ID', async () => {
    const recording = record();
    const wrong = { value: '', token: '', publicId: yubikey.press() };
    await verifySequence(verifier, [wrong, touch()]);
    expect(recording.plain('refusal')).toMatchObject([{ publicId: undefined }]);
  });
});

describe('a verifier of an application', () => {
  it('is not traced by who asks it, and publishes under the same name if it wants to', async () => {
    const accept = async ({ publicId }: Otp): Promise<Verification> => ({ ok: true, identity: { publicId } });
    const silent: Verifier = { verify: accept };
    const traced: Verifier = {
      verify: (otp) => verify.tracePromise(() => accept(otp), { verifier: 'Mine', publicId: otp.publicId }),
    };
    const recording = record();
    for (const each of [silent, traced]) {
      const strategy = new YubikeyStrategy({ verifier: each }, ({ publicId }) => ({ id: publicId }));
      await new Promise<unknown>((success) => {
        Object.assign(strategy, { success, fail: success, error: success });
        strategy.authenticate({ body: { otp: yubikey.press() } } as never);
      });
    }
    expect(recording.names).toEqual(ACCEPTED);
    expect(recording.verifications).toMatchObject([{ verifier: 'Mine', result: { ok: true } }]);
  });

  it('has the trace of the verifier that it asks', async () => {
    const recording = record();
    const wrapper: Verifier = { verify: (otp, options) => verifier.verify(otp, options) };
    await wrapper.verify(touch());
    expect(recording.names).toEqual(ACCEPTED);
  });
});

describe('AsyncLocalStorage', () => {
  it('has the value that a store bound to `start` gives, in all that a verification does', async () => {
    const storage = new AsyncLocalStorage<object>();
    verify.start.bindStore(storage, (message) => message as object);
    onTestFinished(() => void verify.start.unbindStore(storage));
    const seen: unknown[] = [];
    const look = (message?: unknown) => void seen.push(storage.getStore(), ...(message ? [message] : []));
    subscribe('passport-yubikey-otp:refusal', look);
    onTestFinished(() => void unsubscribe('passport-yubikey-otp:refusal', look));
    const ksm: Ksm = {
      async decrypt() {
        look();
        await new Promise(setImmediate);
        look();
        return { ok: false, reason: 'CORRUPT_OTP' };
      },
    };
    await new KsmVerifier({ ksm, counters: store.counters }).verify(touch());
    const [trace, later, inRefusal, refusal] = seen;
    expect(trace).toMatchObject({ verifier: 'KsmVerifier', result: { ok: false } });
    expect([later, inRefusal]).toEqual([trace, trace]);
    expect(refusal).toMatchObject({ reason: 'BAD_OTP' });
    expect(storage.getStore()).toBeUndefined();
  });

  it('keeps the verifications that run at once apart', async () => {
    const storage = new AsyncLocalStorage<VerifyMessage>();
    verify.start.bindStore(storage, (message) => message as VerifyMessage);
    onTestFinished(() => void verify.start.unbindStore(storage));
    const ksm: Ksm = {
      async decrypt(otp) {
        await new Promise(setImmediate);
        return storage.getStore()?.publicId === otp.publicId
          ? { ok: false, reason: 'CORRUPT_OTP' }
          : expect.unreachable();
      },
    };
    const other = new KsmVerifier({ ksm, counters: store.counters });
    const keys = Array.from({ length: 20 }, () => new SoftYubikey());
    await Promise.all(keys.map((key) => other.verify(touch(key))));
  });
});

describe('a subscriber', () => {
  it('that throws harms no verification: Node reports it as an uncaught exception', async () => {
    const uncaught = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const reported: string[] = [];
    process.on('uncaughtException', ({ message }) => void reported.push(message));
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException');
      for (const listener of uncaught) process.on('uncaughtException', listener);
    });
    const fail = (name: string) => () => {
      throw new Error(name);
    };
    const subscribers = {
      start: fail('start'),
      end: fail('end'),
      asyncStart: fail('asyncStart'),
      asyncEnd: fail('asyncEnd'),
      error: fail('error'),
    };
    const refuse = fail('refusal');
    verify.subscribe(subscribers);
    subscribe('passport-yubikey-otp:refusal', refuse);
    onTestFinished(() => {
      verify.unsubscribe(subscribers);
      unsubscribe('passport-yubikey-otp:refusal', refuse);
    });
    const otp = touch();
    expect(await verifier.verify(otp)).toMatchObject({ ok: true });
    expect(await verifier.verify(otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    await expect(verifier.verify(otp, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    await expect.poll(() => reported).toHaveLength(14);
    expect(new Set(reported)).toEqual(new Set([...Object.keys(subscribers), 'refusal']));
  });

  it('that leaves during a verification, or comes, gets what is published while it is there', async () => {
    const ksm: Ksm = {
      async decrypt() {
        expect(verify.unsubscribe(leaving)).toBe(true);
        await new Promise(setImmediate);
        verify.subscribe(coming);
        return { ok: false, reason: 'CORRUPT_OTP' };
      },
    };
    const none = { start: vi.fn(), end: vi.fn(), asyncStart: vi.fn(), asyncEnd: vi.fn(), error: vi.fn() };
    const [leaving, coming] = [
      { ...none, start: vi.fn() },
      { ...none, asyncEnd: vi.fn() },
    ];
    verify.subscribe(leaving);
    const asked = new KsmVerifier({ ksm, counters: store.counters }).verify(touch());
    expect(await asked).toEqual({ ok: false, reason: 'BAD_OTP' });
    verify.unsubscribe(coming);
    expect(leaving.start).toHaveBeenCalledOnce();
    expect(coming.asyncEnd).toHaveBeenCalledOnce();
  });
});

describe('without a subscriber', () => {
  /** Its properties must not be read: it fails the test. */
  const untouchable = Object.defineProperties({} as Otp, {
    value: { get: () => expect.unreachable() },
    publicId: { get: () => expect.unreachable() },
    token: { get: () => expect.unreachable() },
  });

  it.each<[string, Verification]>([
    ['accepted', { ok: true, identity: { publicId: 'cccccccccccb' } }],
    ['refused', { ok: false, reason: 'REPLAYED_OTP' }],
  ])('builds no message of an %s OTP', async (_, verification) => {
    expect(await traceVerification('KsmVerifier', untouchable, async () => verification)).toBe(verification);
  });

  it('builds no message of a fault', async () => {
    const fault = Object.defineProperty(new YubikeyError('KSM_FAILED', ''), 'servers', {
      get: () => expect.unreachable(),
    });
    const failed = traceVerification('KsmVerifier', untouchable, () => Promise.reject(fault));
    await expect(failed).rejects.toBe(fault);
  });

  it('would be noticed to build one', async () => {
    record();
    const traced = traceVerification('KsmVerifier', untouchable, async () => ({
      ok: false,
      reason: 'BAD_OTP',
    }));
    await expect(traced).rejects.toThrow();
  });
});
