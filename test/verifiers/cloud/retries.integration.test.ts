import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  answer,
  breakOff,
  delayed,
  hang,
  httpStatus,
  inTurn,
  startFakeServer,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  catchError,
  closeAll,
  createVerifier,
  faultAt,
  NO_RETRY,
  OK,
  verifyAt,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

describe('a retry', () => {
  it('sends the same OTP and nonce after HTTP 500, 429, a broken connection and BACKEND_ERROR', async () => {
    const behaviour = inTurn(httpStatus(500), httpStatus(429), answer('BACKEND_ERROR'), answer('OK'));
    const server = await startFakeServer(behaviour);
    expect(await createVerifier([server.url]).verify(parseOtp(yubikey.press()))).toEqual(OK);
    expect(server.requests).toHaveLength(4);
    expect(new Set(server.requests.map(String)).size).toBe(1);
  });

  it('is made in time for a server that never answers', async () => {
    const server = await startFakeServer(inTurn(hang, hang, answer('OK')));
    const verifier = createVerifier([server.url], { timeout: 2000 });
    await withStoppedClock(async () => {
      const verification = verifier.verify(parseOtp(yubikey.press()));
      for (let asked = 1; asked <= 3; asked++) {
        await until(() => server.requests.length === asked);
        if (asked < 3) vi.advanceTimersByTime(2000 / 4);
      }
      expect(await verification).toEqual(OK);
    });
    expect(server.requests).toHaveLength(3);
  });

  it('does not stop a slow answer from counting', async () => {
    const server = await startFakeServer(inTurn(delayed(600, answer('OK')), hang));
    const verifier = createVerifier([server.url], { timeout: 20_000, attemptTimeout: 300 });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
    expect(server.requests.length).toBeGreaterThan(1);
  });

  it('with REPLAYED_REQUEST loses to the slow OK of the first attempt', async () => {
    const server = await startFakeServer(inTurn(delayed(700, answer('OK')), answer('REPLAYED_REQUEST')));
    const verifier = createVerifier([server.url], { timeout: 20_000, attemptTimeout: 300 });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
    expect(server.requests).toHaveLength(2);
  });

  it('does not follow NOT_ENOUGH_ANSWERS', async () => {
    const server = await startFakeServer(inTurn(answer('NOT_ENOUGH_ANSWERS'), answer('REPLAYED_REQUEST')));
    const outcome = createVerifier([server.url]).verify(parseOtp(yubikey.press()));
    await expect(outcome).rejects.toMatchObject({ code: 'NOT_ENOUGH_ANSWERS', status: 503 });
    expect(server.requests).toHaveLength(1);
  });

  it('after a lost answer results in ANSWER_LOST, never OK', async () => {
    const error = await faultAt([inTurn(breakOff, answer('REPLAYED_REQUEST'))]);
    expect(error).toMatchObject({ code: 'ANSWER_LOST', status: 503 });
    expect(error.message).toContain('touch the key again');
  });

  it('is not needed for ANSWER_LOST: a lost answer and REPLAYED_REQUEST from another server suffice', async () => {
    const error = await faultAt([breakOff, answer('REPLAYED_REQUEST')], NO_RETRY);
    expect(error.code).toBe('ANSWER_LOST');
  });

  it('does not follow NO_SUCH_CLIENT and HTTP 403', async () => {
    for (const behaviour of [answer('NO_SUCH_CLIENT'), httpStatus(403), text('garbage')]) {
      const server = await startFakeServer(behaviour);
      await expect(createVerifier([server.url]).verify(parseOtp(yubikey.press()))).rejects.toThrow();
      expect(server.requests).toHaveLength(1);
    }
  });
});

describe('our own earlier attempt at the same server', () => {
  it('decides with a slow OK, not its retry with REPLAYED_OTP (yubiserver does not use REPLAYED_REQUEST)', async () => {
    const server = await startFakeServer(inTurn(delayed(700, answer('OK')), answer('REPLAYED_OTP')));
    const verifier = createVerifier([server.url], { timeout: 20_000, attemptTimeout: 300 });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
  });
  it('whose answer was lost turns REPLAYED_OTP into ANSWER_LOST (yubiserver)', async () => {
    const e = await verifyAt([inTurn(breakOff, answer('REPLAYED_OTP'))]).catch((e) => e.code);
    expect(e).toBe('ANSWER_LOST');
  });
  it('with a slow NOT_ENOUGH_ANSWERS decides if the retry fails', async () => {
    const server = await startFakeServer(
      inTurn(delayed(600, answer('NOT_ENOUGH_ANSWERS')), delayed(600, httpStatus(500))),
    );
    const verifier = createVerifier([server.url], { timeout: 20_000, attemptTimeout: 300, retries: 1 });
    expect((await catchError(verifier.verify(parseOtp(yubikey.press())))).code).toBe('NOT_ENOUGH_ANSWERS');
  });
  it('with a slow, authentic NO_SUCH_CLIENT decides if the answer to the retry is lost', async () => {
    const server = await startFakeServer(
      inTurn(delayed(600, answer('NO_SUCH_CLIENT')), delayed(600, breakOff)),
    );
    const verifier = createVerifier([server.url], { timeout: 20_000, attemptTimeout: 300, retries: 1 });
    expect((await catchError(verifier.verify(parseOtp(yubikey.press())))).code).toBe('NO_SUCH_CLIENT');
  });

  it('with REPLAYED_OTP is a replay if the retry has the same answer', async () => {
    const server = await startFakeServer(
      inTurn(delayed(500, answer('REPLAYED_OTP')), answer('REPLAYED_OTP')),
    );
    const verifier = createVerifier([server.url], { timeout: 20_000, attemptTimeout: 300 });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
  });
});
