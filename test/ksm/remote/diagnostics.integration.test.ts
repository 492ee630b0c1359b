import { afterEach, describe, expect, it, vi } from 'vitest';
import { KsmVerifier, MemoryStore, parseOtp } from '../../../src/index.js';
import { record } from '../../support/diagnostics.js';
import {
  closeAll,
  remoteKsm,
  rest,
  restError,
  startKsm,
  wsapi,
  wsapiError,
  yubikey,
} from '../../support/ksm/remote/fake-ksm.js';
import { until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  type Behaviour,
  breakOff,
  hang,
  httpStatus,
  inTurn,
} from '../../support/verifiers/cloud/fake-server.js';

afterEach(closeAll);

async function startVerifier(protocol: 'rest' | 'wsapi', behaviours: readonly Behaviour[], timeout = 20_000) {
  const servers = await Promise.all(behaviours.map(startKsm));
  const urls = servers.map(({ url }) => url);
  const ksm = remoteKsm(protocol, urls, { timeout });
  const verifier = new KsmVerifier({ ksm, counters: new MemoryStore().counters });
  return { servers, urls, ksm, verify: () => verifier.verify(parseOtp(yubikey.press())) };
}

describe.each([
  ['rest', rest(), restError('KEY_NOT_FOUND'), restError('DECRYPTION_FAILED'), restError('REPLAY_DETECTED')],
  ['wsapi', wsapi(), wsapiError('Unknown yubikey'), wsapiError('Corrupt OTP'), wsapiError('Replayed OTP')],
] as const)(
  'a KsmVerifier over a RemoteKsm with %s publishes',
  (protocol, accept, unknown, corrupt, replayed) => {
    it('one trace and one answer for an OTP that it accepts', async () => {
      const { verify, urls } = await startVerifier(protocol, [accept]);
      const recording = record();
      expect(await verify()).toMatchObject({ ok: true });
      expect(recording.names).toEqual([
        'verify:start',
        'verify:end',
        'answer',
        'verify:asyncStart',
        'verify:asyncEnd',
      ]);
      expect(recording.plain('answer')).toEqual([
        { service: 'ksm', server: urls[0], status: 'OK', milliseconds: expect.any(Number) },
      ]);
      expect(recording.verifications).toMatchObject([{ verifier: 'KsmVerifier', result: { ok: true } }]);
    });

    it.each([
      ['UNKNOWN_KEY', unknown, 'BAD_OTP'],
      ['CORRUPT_OTP', corrupt, 'BAD_OTP'],
      ['REPLAYED_OTP', replayed, 'REPLAYED_OTP'],
    ])('the answer %s and the refusal', async (status, behaviour, reason) => {
      const { verify } = await startVerifier(protocol, [behaviour]);
      const recording = record();
      expect(await verify()).toEqual({ ok: false, reason });
      expect(recording.plain('answer')).toMatchObject([{ status }]);
      const refusal = { verifier: 'KsmVerifier', publicId: yubikey.publicId, reason };
      expect(recording.plain('refusal')).toEqual([refusal]);
      expect(recording.plain('replay')).toEqual(reason === 'REPLAYED_OTP' ? [refusal] : []);
    });

    it('a fault as the answer, and as the error of the trace', async () => {
      const { verify } = await startVerifier(protocol, [httpStatus(500)]);
      const recording = record();
      await expect(verify()).rejects.toMatchObject({ code: 'KSM_FAILED' });
      expect(recording.plain('answer')).toMatchObject([{ status: 'SERVER_FAILED' }]);
      expect(recording.verifications).toMatchObject([
        { error: { code: 'KSM_FAILED', servers: [{ code: 'SERVER_FAILED' }] } },
      ]);
    });

    it('TIMED_OUT for a KSM that does not answer in time', () =>
      withStoppedClock(async () => {
        const { verify, servers } = await startVerifier(protocol, [hang], 2000);
        const recording = record();
        const asked = verify();
        asked.catch(() => undefined);
        await until(() => servers[0]?.requests.length === 1);
        vi.advanceTimersByTime(2000);
        await expect(asked).rejects.toMatchObject({ code: 'KSM_FAILED' });
        expect(recording.plain('answer')).toMatchObject([{ status: 'TIMED_OUT', milliseconds: 2000 }]);
      }));

    it('CLOSED for a request that close() ends', async () => {
      const { verify, servers, ksm } = await startVerifier(protocol, [hang]);
      const recording = record();
      const asked = verify().catch((error: unknown) => error);
      await expect.poll(() => servers[0]?.requests).toHaveLength(1);
      await ksm.close();
      expect(await asked).toMatchObject({ code: 'CLOSED' });
      expect(recording.plain('answer')).toMatchObject([{ status: 'CLOSED' }]);
      expect(recording.verifications).toMatchObject([{ error: { code: 'CLOSED' } }]);
    });
  },
);

describe('a RemoteKsm publishes', () => {
  it('with rest, an answer of each KSM that it asks', async () => {
    const { verify, urls } = await startVerifier('rest', [restError('KEY_NOT_FOUND'), rest(), rest()]);
    const recording = record();
    await verify();
    expect(recording.plain('answer').map(({ server, status }) => [server, status])).toEqual([
      [urls[0], 'UNKNOWN_KEY'],
      [urls[1], 'OK'],
    ]);
  });

  it('with wsapi, the answer that won, and later the answer that lost', async () => {
    let release = () => {};
    const held: Behaviour = (query, res, req) => {
      release = () => wsapi()(query, res, req);
    };
    const { verify, urls, servers } = await startVerifier('wsapi', [held, wsapi()]);
    const recording = record();
    expect(await verify()).toMatchObject({ ok: true });
    await expect.poll(() => servers[0]?.requests).toHaveLength(1);
    expect(recording.plain('answer')).toMatchObject([{ server: urls[1], status: 'OK' }]);
    release();
    await expect.poll(() => recording.plain('answer')).toHaveLength(2);
    expect(recording.plain('answer')[1]).toMatchObject({ server: urls[0], status: 'OK' });
    expect(recording.names.slice(-2)).toEqual(['verify:asyncEnd', 'answer']);
  });

  it('with wsapi, one answer of each request that is abandoned: none is taken for lost and asked again', async () => {
    const { verify, urls, servers } = await startVerifier('wsapi', [hang, wsapi()]);
    const recording = record();
    for (let n = 0; n < 34; n++) expect(await verify()).toMatchObject({ ok: true });
    const unanswered = () => recording.plain('answer').filter(({ server }) => server === urls[0]);
    await expect.poll(() => unanswered().length).toBeGreaterThan(0);
    await expect.poll(() => servers[0]?.requests.length).toBeGreaterThanOrEqual(32);
    expect(unanswered()).toMatchObject([{ status: 'TIMED_OUT' }, { status: 'TIMED_OUT' }]);
  });

  it('with wsapi, both answers if it asks again', async () => {
    const { verify } = await startVerifier('wsapi', [inTurn(breakOff, wsapi())]);
    const recording = record();
    expect(await verify()).toMatchObject({ ok: true });
    expect(recording.plain('answer').map(({ status }) => status)).toEqual(['UNREACHABLE', 'OK']);
  });
});
