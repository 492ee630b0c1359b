import dns from 'node:dns';
import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { isPending, until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  API_KEY,
  answer,
  answerText,
  type Behaviour,
  breakOff,
  deadServer,
  hang,
  httpStatus,
  startFakeServer,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  catchError,
  closeAll,
  createVerifier,
  faultAt,
  NO_RETRY,
  startAll,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

describe('faults that prevent a verdict are distinguished', () => {
  const CASES: [string, Behaviour, string, number][] = [
    ['a broken connection', breakOff, 'UNREACHABLE', 503],
    ['silence', hang, 'TIMED_OUT', 503],
    ['HTTP 403', httpStatus(403), 'REFUSED_BY_FRONT', 503],
    ['HTTP 429', httpStatus(429), 'REFUSED_BY_FRONT', 503],
    ['HTTP 502', httpStatus(502, '<html>'), 'SERVER_FAILED', 503],
    ['HTTP 204', httpStatus(204, ''), 'ANSWER_MALFORMED', 503],
    [
      'another protocol than HTTP',
      (_query, res) => void res.socket?.end('SSH-2.0-OpenSSH_9.2\r\n'),
      'ANSWER_MALFORMED',
      503,
    ],
    ['garbage', text('garbage'), 'ANSWER_MALFORMED', 503],
    ['NO_SUCH_CLIENT', answer('NO_SUCH_CLIENT'), 'NO_SUCH_CLIENT', 500],
    ['BAD_SIGNATURE', answer('BAD_SIGNATURE'), 'BAD_SIGNATURE', 500],
    ['OPERATION_NOT_ALLOWED', answer('OPERATION_NOT_ALLOWED'), 'OPERATION_NOT_ALLOWED', 500],
    ['MISSING_PARAMETER', answer('MISSING_PARAMETER'), 'MISSING_PARAMETER', 500],
    ['BACKEND_ERROR', answer('BACKEND_ERROR'), 'BACKEND_ERROR', 503],
    ['NOT_ENOUGH_ANSWERS', answer('NOT_ENOUGH_ANSWERS'), 'NOT_ENOUGH_ANSWERS', 503],
  ];

  it.each(CASES)('%s', async (_name, behaviour, code, status) => {
    const error = await faultAt([behaviour], { retries: 0, timeout: behaviour === hang ? 500 : 20_000 });
    expect(error).toMatchObject({ code, status });
    expect(error.servers).toMatchObject([{ code }]);
  });

  it('an address where no server listens', async () => {
    const error = await catchError(
      createVerifier([await deadServer()], NO_RETRY).verify(parseOtp(yubikey.press())),
    );
    expect(error).toMatchObject({ code: 'UNREACHABLE', status: 503 });
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('a host name that does not exist', async () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((...args: unknown[]) => {
      (args.at(-1) as (error: Error) => void)(error);
    }) as typeof dns.lookup);
    onTestFinished(() => lookup.mockRestore());
    const verifier = createVerifier(['https://no-such-host.invalid/wsapi/2.0/verify'], NO_RETRY);
    expect(await catchError(verifier.verify(parseOtp(yubikey.press())))).toMatchObject({
      code: 'UNREACHABLE',
    });
    expect(lookup).toHaveBeenCalledWith('no-such-host.invalid', expect.anything(), expect.any(Function));
  });

  it('MISSING_PARAMETER with the info from the server', async () => {
    const behaviour: Behaviour = (_query, res) =>
      void res.end(answerText({ t: '2026-11-21T23:21:39Z0649', info: 'nonce', status: 'MISSING_PARAMETER' }));
    expect((await faultAt([behaviour])).message).toContain('[nonce]');
  });

  it('a redirect, which is not followed', async () => {
    const target = await startFakeServer(answer('OK'));
    for (const status of [301, 302, 303, 307, 308]) {
      const error = await faultAt([httpStatus(status, '', { location: target.url })], NO_RETRY);
      expect(error.code).toBe('REDIRECTED');
    }
    expect(target.requests).toHaveLength(0);
  });
});

describe('without a verdict from any server', () => {
  it('the error names each server and its fault', async () => {
    const servers = await startAll(
      hang,
      httpStatus(403),
      text('x'),
      answer('NO_SUCH_CLIENT'),
      httpStatus(500),
      answer('REPLAYED_REQUEST'),
    );
    const urls = [...servers.map(({ url }) => url), await deadServer()];
    const error = await catchError(
      createVerifier(
        urls.filter((_url, at) => at !== 5),
        NO_RETRY,
      ).verify(parseOtp(yubikey.press())),
    );
    expect(error.code).toBe('NO_SUCH_CLIENT');
    expect(error.servers.map(({ server, code }) => [server, code])).toEqual([
      [urls[0], 'TIMED_OUT'],
      [urls[1], 'REFUSED_BY_FRONT'],
      [urls[2], 'ANSWER_MALFORMED'],
      [urls[3], 'NO_SUCH_CLIENT'],
      [urls[4], 'SERVER_FAILED'],
      [urls[6], 'UNREACHABLE'],
    ]);
    for (const { server, message } of error.servers) expect(error.message).toContain(`${server}: ${message}`);
  });

  it('the error comes after the last server, not at the timeout', async () => {
    await withStoppedClock(async () => {
      const error = await faultAt([httpStatus(403), text('x')], { timeout: 10_000 });
      expect(error.servers).toHaveLength(2);
    });
  });

  it('the timeout limits the whole verification, including retries', async () => {
    await withStoppedClock(async () => {
      const servers = await startAll(hang, hang);
      const verifier = createVerifier(
        servers.map(({ url }) => url),
        { timeout: 700, retries: 3 },
      );
      const error = catchError(verifier.verify(parseOtp(yubikey.press())));
      for (let asked = 1; asked <= 4; asked++) {
        await until(() => servers.every(({ requests }) => requests.length === asked));
        expect(await isPending(error)).toBe(true);
        vi.advanceTimersByTime(700 / 4);
      }
      expect(await error).toMatchObject({ code: 'TIMED_OUT' });
    });
  });

  it('the error contains neither the API key nor the OTP', async () => {
    const own = new SoftYubikey();
    const otp = parseOtp(own.press());
    const servers = await startAll(breakOff, httpStatus(500), answer('BAD_SIGNATURE'), text('x'), hang);
    const verifier = createVerifier(
      servers.map(({ url }) => url),
      { retries: 1, timeout: 1200 },
    );
    const error = await catchError(verifier.verify(otp));
    const everything = `${error.stack} ${error.cause} ${JSON.stringify(error)} ${JSON.stringify(error.servers)}`;
    expect(everything).not.toContain(otp.token);
    expect(everything).not.toContain(API_KEY);
  });
});

describe('an AbortSignal', () => {
  it('ends a verification with ABORTED and its reason as the cause', async () => {
    const server = await startFakeServer(hang);
    const controller = new AbortController();
    const verifier = createVerifier([server.url]);
    const outcome = catchError(verifier.verify(parseOtp(yubikey.press()), { signal: controller.signal }));
    setTimeout(() => controller.abort(new Error('enough')), 50);
    expect(await outcome).toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } });
  });

  it('that is already aborted sends nothing', async () => {
    const server = await startFakeServer(answer('OK'));
    const outcome = createVerifier([server.url]).verify(parseOtp(yubikey.press()), {
      signal: AbortSignal.abort(),
    });
    expect(await catchError(outcome)).toMatchObject({ code: 'ABORTED' });
    expect(server.requests).toHaveLength(0);
  });

  it('has no listener after the verdict', async () => {
    const server = await startFakeServer(answer('OK'));
    const verifier = createVerifier([server.url]);
    const { signal } = new AbortController();

    for (let touch = 0; touch < 5; touch++) await verifier.verify(parseOtp(yubikey.press()), { signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
