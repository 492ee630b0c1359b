import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { KSM_ERRORS } from '../../../src/protocol/ksm-response.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import {
  closeAll,
  decryptAt,
  local,
  losing,
  once,
  remoteKsm,
  startKsm,
  wsapi,
  wsapiError,
  yubikey,
} from '../../support/ksm/remote/fake-ksm.js';
import { until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  type Behaviour,
  breakOff,
  deadServer,
  delayed,
  hang,
  httpStatus,
  inTurn,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import { catchError } from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

const at = (...behaviours: Behaviour[]) => decryptAt('wsapi', behaviours);
const unknown = wsapiError(KSM_ERRORS.unknownKey);
const corrupt = wsapiError(KSM_ERRORS.corruptOtp);
const replayed = wsapiError(KSM_ERRORS.replayedOtp);
const NOT_OK = (reason: string) => ({ ok: false, reason });

const FAULTS: [string, string, Behaviour][] = [
  ['no answer in time', 'TIMED_OUT', hang],
  ['connections that break', 'UNREACHABLE', breakOff],
  ['HTTP 500', 'SERVER_FAILED', httpStatus(500)],
  ['HTTP 404', 'REFUSED_BY_FRONT', httpStatus(404)],
  ['HTTP 429', 'REFUSED_BY_FRONT', httpStatus(429)],
  ['an answer with another HTTP status', 'ANSWER_MALFORMED', httpStatus(203, 'ERR Corrupt OTP\n')],
  ['a redirect', 'REDIRECTED', httpStatus(302, '', { location: 'https://ksm.example/' })],
  ['garbage', 'ANSWER_MALFORMED', text('hello')],
  ['an unknown error', 'ANSWER_MALFORMED', wsapiError('Coffee')],
  ['Invalid OTP format', 'ANSWER_MALFORMED', wsapiError(KSM_ERRORS.invalidOtp)],
  ['No OTP provided', 'MISSING_PARAMETER', wsapiError(KSM_ERRORS.noOtp)],
  ['Database error', 'BACKEND_ERROR', wsapiError(KSM_ERRORS.databaseError)],
];

describe('RemoteKsm, wsapi', () => {
  it('decrypts to the same as the KSM itself, with the private ID compared', async () => {
    const otp = parseOtp(yubikey.press({ capsLock: true }));
    const expected = await local.decrypt(otp);
    expect(expected).toMatchObject({ ok: true, capsLock: true, privateIdChecked: true });
    expect(await decryptAt('wsapi', [wsapi()], {}, otp)).toEqual(expected);
  });

  it.each([
    [KSM_ERRORS.unknownKey, 'UNKNOWN_KEY'],
    [KSM_ERRORS.keyNotFound, 'UNKNOWN_KEY'],
    [KSM_ERRORS.corruptOtp, 'CORRUPT_OTP'],
    [KSM_ERRORS.replayedOtp, 'REPLAYED_OTP'],
  ])('"%s" is the verdict %s', async (error, reason) => {
    expect(await at(wsapiError(error))).toEqual(NOT_OK(reason));
  });

  it.each(['', 'c', 'vvcccccccccccccc'])(
    '"Invalid OTP format" from a KSM that accepts no public ID like %j is UNKNOWN_KEY',
    async (publicId) => {
      const otp = parseOtp(new SoftYubikey({ publicId }).press());
      expect(await decryptAt('wsapi', [wsapiError('Invalid OTP format')], {}, otp)).toEqual(
        NOT_OK('UNKNOWN_KEY'),
      );
    },
  );

  it('reports a key that a KSM stores without its private ID as a fault to fix there', async () => {
    const error = await catchError(at(wsapiError(KSM_ERRORS.privateIdUnknown), unknown));
    expect(error).toMatchObject({ code: 'PRIVATE_ID_UNCHECKED', status: 500 });
  });

  it('asks all servers at once', async () => {
    const waiting: (() => void)[] = [];
    const onceAllAreAsked: Behaviour = (...request) => {
      waiting.push(() => unknown(...request));
      if (waiting.length === 5) for (const answer of waiting) answer();
    };
    expect(await at(...Array(5).fill(onceAllAreAsked))).toEqual(NOT_OK('UNKNOWN_KEY'));
  });

  it('OK decides immediately, whatever the others answer', async () => {
    const behaviours = [hang, corrupt, unknown, replayed, breakOff, wsapi()];
    await withStoppedClock(async () => {
      expect(await decryptAt('wsapi', behaviours)).toMatchObject({ ok: true });
    });
  });

  it.each([
    ['Corrupt OTP', corrupt],
    ['Unknown yubikey', unknown],
    ['Replayed OTP', replayed],
  ])('a late OK wins over %s', async (_, behaviour) => {
    expect(await at(behaviour, delayed(300, wsapi()))).toMatchObject({ ok: true });
  });

  it.each(FAULTS)('a late OK wins over %s', async (_name, _code, behaviour) => {
    expect(await at(behaviour, delayed(300, wsapi()))).toMatchObject({ ok: true });
  });

  it.each(FAULTS)('%s from all servers is a fault, never a verdict', async (_, code, behaviour) => {
    const error = await catchError(at(behaviour));
    expect(error).toMatchObject({ code: 'KSM_FAILED', status: 503, servers: [{ code }] });
  });

  it.each(FAULTS)('with %s elsewhere, an unknown key is not a verdict', async (_, code, behaviour) => {
    const error = await catchError(at(unknown, behaviour));
    expect(error).toMatchObject({ code: 'KSM_FAILED', servers: [{ code: 'KSM_FAILED' }, { code }] });
  });

  it.each(FAULTS)('with %s elsewhere, a corrupt OTP is a verdict', async (_name, _code, behaviour) => {
    expect(await at(behaviour, corrupt)).toEqual(NOT_OK('CORRUPT_OTP'));
  });

  it('an OTP that one KSM cannot decrypt is corrupt if the others do not know the key', async () => {
    expect(await at(unknown, corrupt, unknown)).toEqual(NOT_OK('CORRUPT_OTP'));
  });

  it('a server that is down is a fault with its name', async () => {
    const dead = await deadServer();
    const error = await catchError(remoteKsm('wsapi', [dead]).decrypt(parseOtp(yubikey.press())));
    expect(error).toMatchObject({ code: 'KSM_FAILED', servers: [{ server: dead, code: 'UNREACHABLE' }] });
  });

  it('asks again on a new connection if one broke', async () => {
    expect(await at(inTurn(breakOff, wsapi()))).toMatchObject({ ok: true });
  });

  it('keeps connections for the next OTP, even those of slower servers', async () => {
    const servers = [await startKsm(wsapi()), await startKsm(delayed(50, wsapi()))];
    const ksm = remoteKsm(
      'wsapi',
      servers.map(({ url }) => url),
    );
    for (let touch = 0; touch < 4; touch++) {
      expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
      await until(() => servers.every(({ answered }) => answered === touch + 1));
    }
    expect(servers.map(({ connections }) => connections)).toEqual([1, 1]);
  });
});

describe('RemoteKsm, wsapi servers that refuse replays', () => {
  it('over one store: one of them decrypts, which wins over REPLAYED_OTP from the others', async () => {
    const shared = once();
    const servers = await Promise.all([wsapi(shared), wsapi(shared), wsapi(shared)].map(startKsm));
    const ksm = remoteKsm(
      'wsapi',
      servers.map(({ url }) => url),
    );
    for (let touch = 0; touch < 10; touch++) {
      const otp = parseOtp(yubikey.press());
      expect(await ksm.decrypt(otp)).toMatchObject({ ok: true });
      await sleep(20);
      expect(await ksm.decrypt(otp)).toEqual(NOT_OK('REPLAYED_OTP'));
    }
  });

  it.each(FAULTS.slice(0, 3))('after %s, a replay may be our own: ANSWER_LOST', async (_, __, behaviour) => {
    expect(await catchError(at(behaviour, replayed))).toMatchObject({ code: 'ANSWER_LOST', status: 503 });
  });

  it('a lost answer is ANSWER_LOST, although the server is asked again', async () => {
    const error = await catchError(at(inTurn(losing(wsapi(once())), replayed)));
    expect(error.code).toBe('ANSWER_LOST');
  });
});
