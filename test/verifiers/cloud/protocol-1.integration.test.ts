import { afterEach, describe, expect, it } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import {
  API_KEY,
  answer,
  answerText,
  type Behaviour,
  breakOff,
  deadServer,
  delayed,
  hang,
  httpStatus,
  startFakeServer,
} from '../../support/verifiers/cloud/fake-server.js';
import { catchError, closeAll, createVerifier, OK, yubikey } from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

/** An answer of protocol 1.0, without OTP and nonce. */
const answer1 =
  (status: string, apiKey = API_KEY): Behaviour =>
  (_query, res) =>
    void res.end(answerText({ t: '2026-11-21T23:21:39Z0649', status }, apiKey));

const PROTOCOL_1 = { protocol: '1.0', timeout: 1500 } as const;

function start(behaviour: Behaviour) {
  return startFakeServer(behaviour, { path: '/wsapi/verify' });
}

function verifyAt(urls: string[]) {
  return createVerifier(urls, PROTOCOL_1).verify(parseOtp(yubikey.press()));
}

describe('protocol 1.0', () => {
  it('sends only id, otp and signature, and accepts a signed OK', async () => {
    const server = await start(answer1('OK'));
    expect(await verifyAt([server.url])).toEqual(OK);
    expect([...(server.requests[0] as URLSearchParams).keys()]).toEqual(['id', 'otp', 'h']);
  });

  it.each(['BAD_OTP', 'REPLAYED_OTP'])('answers %s as a verdict', async (reason) => {
    expect(await verifyAt([(await start(answer1(reason))).url])).toEqual({ ok: false, reason });
  });

  it('an OK signed with another key is forged', async () => {
    const server = await start(answer1('OK', 'b3RoZXIgYXBpIGtleSBvZiAyMA=='));
    expect(await catchError(verifyAt([server.url]))).toMatchObject({ code: 'ANSWER_FORGED' });
  });

  it.each([
    ['an address where no server listens', undefined],
    ['HTTP 403', httpStatus(403)],
    ['HTTP 429', httpStatus(429)],
    ['NO_SUCH_CLIENT', answer('NO_SUCH_CLIENT')],
  ])('asks the next server after %s', async (_name, behaviour) => {
    const first = behaviour ? (await start(behaviour)).url : await deadServer();
    const second = await start(answer1('OK'));
    expect(await verifyAt([first, second.url])).toEqual(OK);
  });

  it.each([
    ['a broken connection', breakOff, 'UNREACHABLE'],
    ['silence', hang, 'TIMED_OUT'],
    ['HTTP 500', httpStatus(500), 'SERVER_FAILED'],
    ['BACKEND_ERROR', answer1('BACKEND_ERROR'), 'BACKEND_ERROR'],
  ])('asks no server again after %s, because the OTP may be used up', async (_name, behaviour, code) => {
    const [first, second] = [await start(behaviour), await start(answer1('REPLAYED_OTP'))];
    expect(await catchError(verifyAt([first.url, second.url]))).toMatchObject({ code });
    expect(first.requests).toHaveLength(1);
    expect(second.requests).toHaveLength(0);
  });

  it('asks the second server only after the first', async () => {
    const [first, second] = [await start(delayed(300, answer1('OK'))), await start(answer1('OK'))];
    expect(await verifyAt([first.url, second.url])).toEqual(OK);
    expect(second.requests).toHaveLength(0);
  });

  it('a refusal is final: no second server is asked', async () => {
    const [first, second] = [await start(answer1('BAD_OTP')), await start(answer1('OK'))];
    expect(await verifyAt([first.url, second.url])).toEqual({ ok: false, reason: 'BAD_OTP' });
    expect(second.requests).toHaveLength(0);
  });
});
