import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import {
  closeAll,
  decryptAt,
  local,
  losing,
  once,
  remoteKsm,
  rest,
  restError,
  startKsm,
  yubikey,
} from '../../support/ksm/remote/fake-ksm.js';
import { until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  type Behaviour,
  breakOff,
  deadServer,
  hang,
  httpStatus,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import { catchError } from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

const at = (...behaviours: Behaviour[]) => decryptAt('rest', behaviours);
const unknown = restError('KEY_NOT_FOUND');
const corrupt = restError('DECRYPTION_FAILED');
const replayed = restError('REPLAY_DETECTED');
const unpinned = restError('PRIVATE_ID_UNKNOWN');
const NOT_OK = (reason: string) => ({ ok: false, reason });

/** Answers of servers that cannot have used up the OTP, because it never reached a KSM. */
const NEVER_RECEIVED: [string, Behaviour][] = [
  ['HTTP 403 from a proxy', httpStatus(403)],
  ['HTTP 404 from a proxy', httpStatus(404, '<h1>Not Found</h1>')],
  ['HTTP 404 from a proxy, in JSON', httpStatus(404, '{"message":"no such route"}')],
  ['HTTP 409 from a proxy', httpStatus(409)],
  ['HTTP 429', httpStatus(429, '{"status":"ERROR","error_code":"RATE_LIMITED"}')],
  ['a redirect', httpStatus(302, '', { location: 'https://ksm.example/' })],
];
/** Answers of servers that may have used up the OTP. */
const MAYBE_RECEIVED: [string, string, Behaviour][] = [
  ['no answer in time', 'TIMED_OUT', hang],
  ['a broken connection', 'UNREACHABLE', breakOff],
  ['HTTP 500', 'SERVER_FAILED', httpStatus(500)],
  ['STORAGE_ERROR', 'SERVER_FAILED', restError('STORAGE_ERROR')],
  ['HTTP 502', 'SERVER_FAILED', httpStatus(502, '<h1>Bad Gateway</h1>')],
  ['garbage', 'ANSWER_MALFORMED', text('hello')],
  ['an answer of wsapi', 'ANSWER_MALFORMED', text('OK counter=0001 low=8d40 high=0f use=00\n')],
];

describe('RemoteKsm, REST', () => {
  it('decrypts to the same as the KSM itself', async () => {
    const otp = parseOtp(yubikey.press({ capsLock: true }));
    const expected = await local.decrypt(otp);
    expect(expected).toMatchObject({ ok: true, capsLock: true, privateIdChecked: true });
    expect(await decryptAt('rest', [rest()], {}, otp)).toEqual(expected);
  });

  it('posts the OTP, and has no part of it in the URL', async () => {
    const urls: (string | undefined)[] = [];
    const behaviour: Behaviour = (query, res, req) => {
      urls.push(req.url);
      rest()(query, res, req);
    };
    expect(await at(behaviour)).toMatchObject({ ok: true });
    expect(urls).toEqual(['/api/v1/decrypt']);
  });

  it.each([
    ['does not tell', undefined],
    ['denies it', false],
    ['confirms it as text', 'true'],
    ['confirms it as a number', 1],
  ])('treats the private ID as not compared if the answer %s', async (_, private_id_checked) => {
    const body = {
      status: 'OK',
      key_id: yubikey.publicId,
      counter: 26,
      timestamp_low: 35599,
      timestamp_high: 15,
      session_use: 3,
      decrypted_at: '2024-01-15T10:30:45Z',
      private_id_checked,
    };
    expect(await at(text(JSON.stringify(body)))).toEqual({
      ok: true,
      counters: { usageCounter: 26, sessionUse: 3, timestamp: 15 * 0x1_0000 + 35599 },
      capsLock: false,
      privateIdChecked: false,
    });
  });

  it.each([
    ['KEY_NOT_FOUND', 'UNKNOWN_KEY'],
    ['DECRYPTION_FAILED', 'CORRUPT_OTP'],
    ['REPLAY_DETECTED', 'REPLAYED_OTP'],
  ] as const)('%s is the verdict %s', async (error, reason) => {
    expect(await at(restError(error))).toEqual(NOT_OK(reason));
  });

  it('PRIVATE_ID_UNKNOWN is the fault PRIVATE_ID_UNCHECKED, which requires another touch', async () => {
    const error = await catchError(at(unpinned));
    expect(error).toMatchObject({
      code: 'PRIVATE_ID_UNCHECKED',
      servers: [{ code: 'PRIVATE_ID_UNCHECKED' }],
    });
    expect(error.message).toContain('touch the key again');
    const garbage = httpStatus(400, '{"status":"ERROR","error_code":"PRIVATE_ID_UNKNOWN"}');
    expect(await catchError(at(garbage))).toMatchObject({ code: 'KSM_FAILED' });
  });

  it.each([
    ['does not know the key', unknown],
    ['lost its answer', breakOff],
    ['refused the request', httpStatus(403)],
  ])('PRIVATE_ID_UNKNOWN is the same after a server that %s', async (_, behaviour) => {
    expect(await catchError(at(behaviour, unpinned))).toMatchObject({ code: 'PRIVATE_ID_UNCHECKED' });
  });

  it('INVALID_OTP is a fault, because the OTP is well-formed', async () => {
    const error = await catchError(at(restError('INVALID_OTP')));
    expect(error).toMatchObject({ code: 'KSM_FAILED', servers: [{ code: 'ANSWER_MALFORMED' }] });
  });

  it.each(['', 'c', 'vvcccccccccccccc'])(
    'INVALID_OTP from a KSM that accepts no public ID like %j is UNKNOWN_KEY',
    async (publicId) => {
      const otp = parseOtp(new SoftYubikey({ publicId }).press());
      expect(await decryptAt('rest', [restError('INVALID_OTP')], {}, otp)).toEqual(NOT_OK('UNKNOWN_KEY'));
    },
  );

  it.each([
    ['OK', rest()],
    ['CORRUPT_OTP', corrupt],
    ['REPLAYED_OTP', replayed],
    ['PRIVATE_ID_UNCHECKED', unpinned],
  ])('%s is final: the next server is not asked', async (_, behaviour) => {
    const [first, second] = [await startKsm(behaviour), await startKsm(rest())];
    const ksm = remoteKsm('rest', [first.url, second.url]);
    await ksm.decrypt(parseOtp(yubikey.press())).catch(() => undefined);
    expect([first.requests.length, second.requests.length]).toEqual([1, 0]);
  });

  it('asks one server after another', async () => {
    let running = 0;
    const behaviour: Behaviour = (query, res, req) => {
      expect(++running).toBe(1);
      setTimeout(() => {
        running--;
        unknown(query, res, req);
      }, 30);
    };
    expect(await at(behaviour, behaviour, behaviour)).toEqual(NOT_OK('UNKNOWN_KEY'));
  });

  it('the next server may know a key that the first does not know', async () => {
    expect(await at(unknown, unknown, rest())).toMatchObject({ ok: true });
    expect(await at(unknown, corrupt)).toEqual(NOT_OK('CORRUPT_OTP'));
    expect(await at(unknown, replayed)).toEqual(NOT_OK('REPLAYED_OTP'));
    expect(await at(unknown, unknown)).toEqual(NOT_OK('UNKNOWN_KEY'));
  });

  it.each([...NEVER_RECEIVED, ...MAYBE_RECEIVED.map(([name, , behaviour]) => [name, behaviour] as const)])(
    'after %s, the next server is asked, and its OK counts',
    async (_, behaviour) => {
      expect(await at(behaviour, rest())).toMatchObject({ ok: true });
    },
  );

  it.each([...NEVER_RECEIVED, ...MAYBE_RECEIVED.map(([name, , behaviour]) => [name, behaviour] as const)])(
    'after %s, an unknown key at the next server is not a verdict, because the first may have the key',
    async (_, behaviour) => {
      for (const behaviours of [
        [behaviour, unknown],
        [unknown, behaviour],
      ]) {
        const error = await catchError(at(...behaviours));
        expect(error).toMatchObject({ code: 'KSM_FAILED', status: 503 });
        expect(error.servers).toHaveLength(2);
      }
    },
  );

  it.each(NEVER_RECEIVED)('after %s, REPLAYED_OTP is a verdict', async (_, behaviour) => {
    expect(await at(behaviour, replayed)).toEqual(NOT_OK('REPLAYED_OTP'));
  });

  it('after a server that is down, REPLAYED_OTP is a verdict', async () => {
    const server = await startKsm(replayed);
    const ksm = remoteKsm('rest', [await deadServer(), server.url]);
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toEqual(NOT_OK('REPLAYED_OTP'));
  });

  it.each(MAYBE_RECEIVED)('after %s, a replay may be our own: ANSWER_LOST', async (_, code, behaviour) => {
    const error = await catchError(at(behaviour, unknown, replayed));
    expect(error).toMatchObject({ code: 'ANSWER_LOST', status: 503 });
    expect(error.message).toContain('touch the key again');
    expect(error.servers.map(({ code }) => code)).toEqual([code, 'KSM_FAILED', 'ANSWER_LOST']);
  });

  it('an answer that two servers with one store lost is ANSWER_LOST, and the next touch is OK', async () => {
    const shared = once();
    const servers = [await startKsm(losing(rest(shared))), await startKsm(rest(shared))];
    const ksm = remoteKsm(
      'rest',
      servers.map(({ url }) => url),
    );
    const otp = parseOtp(yubikey.press());
    expect((await catchError(ksm.decrypt(otp))).code).toBe('ANSWER_LOST');
    await servers[0]?.close();
    expect(await ksm.decrypt(otp)).toEqual(NOT_OK('REPLAYED_OTP'));
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
  });

  it.each(MAYBE_RECEIVED)('%s from all servers is a fault, never a verdict', async (_, code, behaviour) => {
    const error = await catchError(at(behaviour));
    expect(error).toMatchObject({
      code: 'KSM_FAILED',
      status: 503,
      servers: [{ code, authenticated: false }],
    });
  });

  it('names each server and its fault', async () => {
    const urls = [await deadServer(), (await startKsm(httpStatus(503))).url, (await startKsm(unknown)).url];
    const error = await catchError(remoteKsm('rest', urls).decrypt(parseOtp(yubikey.press())));
    expect(error.servers.map(({ server, code }) => [server, code])).toEqual([
      [urls[0], 'UNREACHABLE'],
      [urls[1], 'SERVER_FAILED'],
      [urls[2], 'KSM_FAILED'],
    ]);
    for (const url of urls) expect(error.message).toContain(url);
  });

  it('divides its timeout among the servers', async () => {
    const decryptInTurn = async (last: Behaviour) => {
      const servers = await Promise.all([hang, hang, last].map(startKsm));
      const ksm = remoteKsm(
        'rest',
        servers.map(({ url }) => url),
        { timeout: 3000 },
      );
      const decryption = ksm.decrypt(parseOtp(yubikey.press()));
      decryption.catch(() => undefined);
      for (const [n, { requests }] of servers.entries()) {
        await until(() => requests.length === 1);
        if (n < 2 || last === hang) vi.advanceTimersByTime(1000);
      }
      return decryption;
    };
    await withStoppedClock(async () => {
      expect(await decryptInTurn(rest())).toMatchObject({ ok: true });
      const error = await catchError(decryptInTurn(hang));
      expect(error.servers.map(({ code }) => code)).toEqual(['TIMED_OUT', 'TIMED_OUT', 'TIMED_OUT']);
    });
  });

  it('sends each OTP on a new connection, not on one that may be closing', async () => {
    const server = await startKsm(rest());
    const ksm = remoteKsm('rest', [server.url]);
    for (let touch = 0; touch < 3; touch++) await ksm.decrypt(parseOtp(yubikey.press()));
    expect(server.connections).toBe(3);
  });
});
