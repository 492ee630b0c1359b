import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type CloudVerifierOptions,
  parseOtp,
  type VerifyMessage,
  verifySequence,
} from '../../../src/index.js';
import { record } from '../../support/diagnostics.js';
import { until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  answer,
  answerFields,
  answerText,
  type Behaviour,
  breakOff,
  deadServer,
  delayed,
  type FakeServer,
  hang,
  httpStatus,
  inTurn,
  startFakeServer,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  closeAll,
  createVerifier,
  NO_RETRY,
  startAll,
  verifyAt,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

const press = () => parseOtp(yubikey.press());
const forged: Behaviour = (query, res) =>
  void res.end(answerText(answerFields(query, 'OK'), 'b3RoZXIgYXBpIGtleSBvZiAyMA=='));

const ACCEPTED = ['verify:start', 'verify:end', 'answer', 'verify:asyncStart', 'verify:asyncEnd'];

/** Verifies an OTP, and returns what was published. */
async function verifyAndRecord(behaviours: Behaviour[], options: Partial<CloudVerifierOptions> = {}) {
  const recording = record();
  await verifyAt(behaviours, options).catch(() => undefined);
  return recording;
}

const statusesOf = ({ url }: Pick<FakeServer, 'url'>, recording: ReturnType<typeof record>) =>
  recording
    .plain('answer')
    .filter(({ server }) => server === url)
    .map(({ status }) => status);

describe('a CloudVerifier publishes', () => {
  it('one trace and one answer for an OTP that one server accepts', async () => {
    const [server] = (await startAll(answer('OK'))) as [FakeServer];
    const recording = record();
    const verification = await createVerifier([server.url]).verify(press());
    expect(recording.names).toEqual(ACCEPTED);
    expect(recording.verifications).toEqual([
      { verifier: 'CloudVerifier', publicId: yubikey.publicId, result: verification },
    ]);
    const [message] = recording.plain('answer');
    expect(message).toEqual({
      service: 'validation',
      server: server.url,
      status: 'OK',
      milliseconds: expect.any(Number),
    });
  });

  it.each(['BAD_OTP', 'REPLAYED_OTP', 'REPLAYED_REQUEST', 'DELAYED_OTP'])(
    'the refusal %s',
    async (reason) => {
      const recording = await verifyAndRecord([answer(reason)], { ...NO_RETRY, settleTime: 0 });
      expect(recording.verifications).toMatchObject([{ result: { ok: false, reason } }]);
      expect(recording.plain('answer')).toMatchObject([{ status: reason }]);
      const refusal = { verifier: 'CloudVerifier', publicId: yubikey.publicId, reason };
      expect(recording.plain('refusal')).toEqual([refusal]);
      expect(recording.plain('replay')).toEqual(reason.startsWith('REPLAYED') ? [refusal] : []);
    },
  );

  it.each<[string, Behaviour]>([
    ['BAD_SIGNATURE', answer('BAD_SIGNATURE')],
    ['NO_SUCH_CLIENT', answer('NO_SUCH_CLIENT')],
    ['OPERATION_NOT_ALLOWED', answer('OPERATION_NOT_ALLOWED')],
    ['MISSING_PARAMETER', answer('MISSING_PARAMETER')],
    ['BACKEND_ERROR', answer('BACKEND_ERROR')],
    ['NOT_ENOUGH_ANSWERS', answer('NOT_ENOUGH_ANSWERS')],
    ['ANSWER_FORGED', forged],
    ['ANSWER_MALFORMED', text('hello')],
    ['SERVER_FAILED', httpStatus(500)],
    ['REFUSED_BY_FRONT', httpStatus(403)],
    ['REDIRECTED', httpStatus(302, '', { location: 'https://other.example/' })],
    ['UNREACHABLE', breakOff],
  ])('the fault %s, as the answer of the server and as the error of the trace', async (code, behaviour) => {
    const recording = await verifyAndRecord([behaviour], NO_RETRY);
    expect(recording.plain('answer')).toMatchObject([{ status: code }]);
    expect(recording.names.filter((name) => name.startsWith('verify:'))).toEqual([
      'verify:start',
      'verify:end',
      'verify:error',
      'verify:asyncStart',
      'verify:asyncEnd',
    ]);
    expect(recording.verifications).toMatchObject([{ error: { code, servers: [{ code }] } }]);
    expect(recording.plain('refusal')).toEqual([]);
  });

  it('the fault of a server that does not listen', async () => {
    const recording = record();
    await createVerifier([await deadServer()], NO_RETRY)
      .verify(press())
      .catch(() => undefined);
    expect(recording.plain('answer')).toMatchObject([{ status: 'UNREACHABLE' }]);
    expect(recording.verifications).toMatchObject([{ error: { code: 'UNREACHABLE' } }]);
  });

  it('TIMED_OUT for a server that does not answer in time', () =>
    withStoppedClock(async () => {
      const [server] = (await startAll(hang)) as [FakeServer];
      const recording = record();
      const asked = createVerifier([server.url], NO_RETRY).verify(press());
      asked.catch(() => undefined);
      await until(() => server.requests.length === 1);
      expect(recording.plain('answer')).toEqual([]);
      vi.advanceTimersByTime(2000);
      await expect(asked).rejects.toMatchObject({ code: 'TIMED_OUT' });
      expect(recording.plain('answer')).toMatchObject([{ status: 'TIMED_OUT', milliseconds: 2000 }]);
      expect(recording.names.at(-1)).toBe('verify:asyncEnd');
    }));

  it('each attempt of a retried request', async () => {
    const [server] = (await startAll(inTurn(httpStatus(500), answer('BACKEND_ERROR'), answer('OK')))) as [
      FakeServer,
    ];
    const recording = record();
    expect(await createVerifier([server.url], { retries: 2 }).verify(press())).toMatchObject({ ok: true });
    expect(statusesOf(server, recording)).toEqual(['SERVER_FAILED', 'BACKEND_ERROR', 'OK']);
    expect(recording.verifications).toHaveLength(1);
  });

  it('the answer that won, and later the answer that lost', async () => {
    let release = () => {};
    const held: Behaviour = (query, res, req) => {
      release = () => answer('REPLAYED_OTP')(query, res, req);
    };
    const [winner, loser] = (await startAll(delayed(20, answer('OK')), held)) as [FakeServer, FakeServer];
    const recording = record();
    const verifier = createVerifier([winner.url, loser.url]);
    expect(await verifier.verify(press())).toMatchObject({ ok: true });
    await expect.poll(() => loser.requests).toHaveLength(1);
    expect(statusesOf(winner, recording)).toEqual(['OK']);
    expect(statusesOf(loser, recording)).toEqual([]);
    release();
    await expect.poll(() => statusesOf(loser, recording)).toEqual(['REPLAYED_OTP']);
    expect(recording.plain('replay')).toEqual([]);
    expect(recording.names.slice(-2)).toEqual(['verify:asyncEnd', 'answer']);
  });

  it('ABORTED for a request that the caller gives up', async () => {
    const [server] = (await startAll(hang)) as [FakeServer];
    const recording = record();
    const controller = new AbortController();
    const asked = createVerifier([server.url]).verify(press(), { signal: controller.signal });
    await expect.poll(() => server.requests).toHaveLength(1);
    controller.abort('the user has left');
    await expect(asked).rejects.toMatchObject({ code: 'ABORTED', cause: 'the user has left' });
    expect(recording.plain('answer')).toMatchObject([{ status: 'ABORTED' }]);
    const [message] = recording.verifications as [VerifyMessage];
    expect(message.error).toMatchObject({ code: 'ABORTED' });
    expect(message.error).not.toHaveProperty('cause');
  });

  it('CLOSED for a request that close() ends, and for a verification after it', async () => {
    const [server] = (await startAll(hang)) as [FakeServer];
    const recording = record();
    const verifier = createVerifier([server.url]);
    const asked = verifier.verify(press()).catch(() => undefined);
    await expect.poll(() => server.requests).toHaveLength(1);
    await verifier.close();
    await asked;
    await expect(verifier.verify(press())).rejects.toMatchObject({ code: 'CLOSED' });
    expect(recording.plain('answer')).toMatchObject([{ status: 'CLOSED' }]);
    expect(recording.verifications).toMatchObject([
      { error: { code: 'CLOSED' } },
      { error: { code: 'CLOSED' } },
    ]);
  });

  it('the TypeError of a malformed argument, and asks no server', async () => {
    const [server] = (await startAll(answer('OK'))) as [FakeServer];
    const recording = record();
    const text = yubikey.press();
    await expect(createVerifier([server.url]).verify(text as never)).rejects.toThrow(TypeError);
    expect(recording.verifications).toMatchObject([{ publicId: undefined, error: expect.any(TypeError) }]);
    expect(recording.plain('answer')).toEqual([]);
  });

  it('one trace for each OTP of a sequence', async () => {
    const counted: Behaviour = (query, res) => {
      const { usageCounter, sessionUse, timestamp } = yubikey.counters;
      const fields = { sessioncounter: usageCounter, sessionuse: sessionUse, timestamp };
      const texts = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
      res.end(answerText({ ...answerFields(query, 'OK'), ...texts }));
    };
    const [server] = (await startAll(counted)) as [FakeServer];
    const recording = record();
    const verifier = createVerifier([server.url], { counters: true });
    const first = press();
    const pressing = {
      verify: (...args: Parameters<typeof verifier.verify>) => verifier.verify(...args).finally(press),
    };
    await verifySequence(pressing, [first, press()]);
    expect(recording.names.filter((name) => name === 'verify:start')).toHaveLength(2);
    expect(recording.plain('answer')).toHaveLength(2);
  });
});

describe('a CloudVerifier with protocol 1.0 publishes', () => {
  const answer1 =
    (status: string): Behaviour =>
    (_query, res) =>
      void res.end(answerText({ t: '2026-11-21T23:21:39Z0649', status }));
  const start = (behaviour: Behaviour) => startFakeServer(behaviour, { path: '/wsapi/verify' });

  it('an answer of each server that it asks, one after another', async () => {
    const servers = [await start(httpStatus(403)), await start(answer1('OK')), await start(answer1('OK'))];
    const recording = record();
    const urls = servers.map(({ url }) => url);
    expect(await createVerifier(urls, { protocol: '1.0' }).verify(press())).toMatchObject({ ok: true });
    expect(recording.plain('answer').map(({ server, status }) => [server, status])).toEqual([
      [urls[0], 'REFUSED_BY_FRONT'],
      [urls[1], 'OK'],
    ]);
    expect(recording.verifications).toMatchObject([{ verifier: 'CloudVerifier', result: { ok: true } }]);
  });

  it.each(['BAD_OTP', 'REPLAYED_OTP'])('the refusal %s', async (reason) => {
    const recording = record();
    const { url } = await start(answer1(reason));
    await createVerifier([url], { protocol: '1.0' }).verify(press());
    expect(recording.plain('refusal')).toMatchObject([{ verifier: 'CloudVerifier', reason }]);
  });
});

describe('the answers of a CloudVerifier', () => {
  it('are published in the async context of their own verification, also over a shared connection', async () => {
    const storage = new AsyncLocalStorage<VerifyMessage>();
    const { start } = tracingChannel<VerifyMessage, VerifyMessage>('passport-yubikey-otp:verify');
    start.bindStore(storage, (message) => message as VerifyMessage);
    onTestFinished(() => void start.unbindStore(storage));
    const contexts: (VerifyMessage | undefined)[] = [];
    const look = () => void contexts.push(storage.getStore());
    subscribe('passport-yubikey-otp:answer', look);
    onTestFinished(() => void unsubscribe('passport-yubikey-otp:answer', look));
    const { verifications } = record();
    const [server] = (await startAll(answer('OK'))) as [FakeServer];
    const verifier = createVerifier([server.url]);
    for (let times = 0; times < 10; times++) await verifier.verify(press());
    expect(server.connections).toBeLessThan(10);
    expect(contexts).toHaveLength(10);
    for (const [index, context] of contexts.entries()) expect(context).toBe(verifications[index]);
  });

  it('are published once for each request, also if none is waited for any more', async () => {
    const servers = await startAll(answer('OK'), hang, breakOff);
    const recording = record();
    const verifier = createVerifier(servers.map(({ url }) => url));
    for (let times = 0; times < 3; times++) await verifier.verify(press());
    await verifier.close();
    const requests = servers.flatMap(({ url, requests }) => requests.map(() => url));
    expect(
      recording
        .plain('answer')
        .map(({ server }) => server)
        .sort(),
    ).toEqual(requests.sort());
  });
});
