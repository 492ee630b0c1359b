import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { isPending, until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  answer,
  answerFields,
  answerText,
  type Behaviour,
  deadServer,
  delayed,
  hang,
  httpStatus,
  sign,
  startFakeServer,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  closeAll,
  createVerifier,
  OK,
  startAll,
  verifyAt,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

describe('one server', () => {
  it('answers OK with the identity', async () => {
    expect(await verifyAt([answer('OK')])).toEqual(OK);
  });

  it.each(['BAD_OTP', 'REPLAYED_OTP', 'DELAYED_OTP', 'REPLAYED_REQUEST'])(
    'answers %s as a verdict',
    async (reason) => {
      expect(await verifyAt([answer(reason)])).toEqual({ ok: false, reason });
    },
  );

  it('receives a signed request with the client, the OTP and a new nonce', async () => {
    const server = await startFakeServer(answer('OK'));
    const verifier = createVerifier([server.url], { syncLevel: 'secure', syncTimeout: 3000 });
    const otp = parseOtp(yubikey.press());
    await verifier.verify(otp);
    await verifier.verify(otp, { nonce: 'aaaaaaaaaaaaaaaa' });
    const [first, second] = server.requests.map((query) => Object.fromEntries(query));
    expect(first).toMatchObject({ id: '87', otp: otp.value, sl: 'secure', timeout: '3' });
    expect(first?.nonce).toMatch(/^[a-z0-9]{32}$/);
    expect(first).not.toHaveProperty('timestamp');
    expect(second?.nonce).toBe('aaaaaaaaaaaaaaaa');
    const { h, ...fields } = first as Record<string, string>;
    expect(h).toBe(sign(fields));
  });

  it('returns the counters if they were requested', async () => {
    const behaviour: Behaviour = (query, res) => {
      const counters = { timestamp: '16777215', sessioncounter: String(0x8000 | 7), sessionuse: '3' };
      const fields = { ...answerFields(query, 'OK'), ...(query.get('timestamp') === '1' ? counters : {}) };
      res.end(answerText(fields));
    };
    expect(await verifyAt([behaviour], { counters: true })).toEqual({
      ok: true,
      identity: { ...OK.identity, counters: { usageCounter: 7, sessionUse: 3, timestamp: 16777215 } },
    });
    expect(await verifyAt([behaviour])).toEqual(OK);
  });

  it('keeps its connections for the next verifications', async () => {
    const server = await startFakeServer(answer('OK'));
    const verifier = createVerifier([server.url]);
    for (let touch = 0; touch < 20; touch++) await verifier.verify(parseOtp(yubikey.press()));
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  it.each([
    ['LF instead of CRLF', (t: string) => t.replaceAll('\r\n', '\n')],
    ['no empty last line', (t: string) => t.trimEnd()],
    ['lines in any order', (t: string) => `${t.trimEnd().split('\r\n').reverse().join('\r\n')}\r\n`],
  ])('may answer with %s', async (_name, change) => {
    const behaviour: Behaviour = (query, res) => void res.end(change(answerText(answerFields(query, 'OK'))));
    expect(await verifyAt([behaviour])).toEqual(OK);
  });

  it('may add other signed parameters', async () => {
    const behaviour: Behaviour = (query, res) =>
      void res.end(answerText({ ...answerFields(query, 'OK'), name: 'alice', Zeta: '1' }));
    expect(await verifyAt([behaviour])).toEqual(OK);
  });
});

describe('keys that their owners uploaded (public ID vv…)', () => {
  const uploaded = new SoftYubikey({ publicId: 'vvccccccccce' });
  const ofFactory = new SoftYubikey({ publicId: 'ccccccccccce' });

  it('are refused without asking a server, with the option for that', async () => {
    const server = await startFakeServer(answer('OK'));
    const verifier = createVerifier([server.url], { refuseUploadedKeys: true });
    expect(await verifier.verify(parseOtp(uploaded.press()))).toEqual({ ok: false, reason: 'BAD_OTP' });
    expect(server.requests).toHaveLength(0);
    expect(await verifier.verify(parseOtp(ofFactory.press()))).toMatchObject({ ok: true });
  });

  it('are accepted by default', async () => {
    const server = await startFakeServer(answer('OK'));
    expect(await createVerifier([server.url]).verify(parseOtp(uploaded.press()))).toMatchObject({ ok: true });
  });
});

describe('five servers, of which one works', () => {
  it('answer OK as soon as the one that works', async () => {
    const good = await startFakeServer(delayed(100, answer('OK')));
    const [hung, slow, failing, garbage] = await startAll(
      hang,
      delayed(60_000, answer('OK')),
      httpStatus(500),
      text('<html>'),
    );
    const servers = [hung?.url, slow?.url, failing?.url, garbage?.url, good.url] as string[];
    const verifier = createVerifier(servers);
    await verifier.verify(parseOtp(yubikey.press()));
    await withStoppedClock(async () => {
      expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
    });
    expect(slow?.requests).not.toHaveLength(0);
  });

  it('answer OK with four addresses where no server listens', async () => {
    const good = await startFakeServer(answer('OK'));
    const dead = await Promise.all([deadServer(), deadServer(), deadServer(), deadServer()]);
    expect(await createVerifier([...dead, good.url]).verify(parseOtp(yubikey.press()))).toEqual(OK);
  });
});

describe('answers that disagree', () => {
  it('REPLAYED_REQUEST from a fast server and OK from a slow one are OK', async () => {
    expect(await verifyAt([answer('REPLAYED_REQUEST'), delayed(1200, answer('OK'))])).toEqual(OK);
  });

  it('NOT_ENOUGH_ANSWERS from a fast server and OK from a slow one are OK', async () => {
    expect(await verifyAt([answer('NOT_ENOUGH_ANSWERS'), delayed(800, answer('OK'))])).toEqual(OK);
  });

  it('BAD_OTP from a fast server and OK within the settle time are OK', async () => {
    await withStoppedClock(async () => {
      const servers = await startAll(answer('BAD_OTP'), delayed(200, answer('OK')));
      const verdict = createVerifier(servers.map(({ url }) => url)).verify(parseOtp(yubikey.press()));
      await until(() => servers.every(({ requests }) => requests.length === 1));
      vi.advanceTimersByTime(499);
      expect(await verdict).toEqual(OK);
    });
  });

  it('BAD_OTP decides after the settle time', async () => {
    await withStoppedClock(async () => {
      const servers = await startAll(answer('BAD_OTP'), hang);
      const verifier = createVerifier(
        servers.map(({ url }) => url),
        { settleTime: 100 },
      );
      const verdict = verifier.verify(parseOtp(yubikey.press()));
      await until(() => servers.every(({ requests }) => requests.length === 1));
      expect(await isPending(verdict)).toBe(true);
      vi.advanceTimersByTime(100);
      expect(await verdict).toEqual({ ok: false, reason: 'BAD_OTP' });
    });
  });

  it('BAD_OTP from every server does not wait for the settle time', async () => {
    await withStoppedClock(async () => {
      const verdict = await verifyAt([answer('BAD_OTP'), answer('BAD_OTP')], { settleTime: 5000 });
      expect(verdict).toEqual({ ok: false, reason: 'BAD_OTP' });
    });
  });

  it('REPLAYED_OTP decides immediately', async () => {
    await withStoppedClock(async () => {
      const verdict = await verifyAt([answer('REPLAYED_OTP'), hang]);
      expect(verdict).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    });
  });

  it("one server's NO_SUCH_CLIENT never wins over another's OK", async () => {
    expect(await verifyAt([answer('NO_SUCH_CLIENT'), delayed(800, answer('OK'))])).toEqual(OK);
  });

  it('a refusal wins over the faults of other servers', async () => {
    const verdict = await verifyAt([answer('NO_SUCH_CLIENT'), httpStatus(403), answer('BAD_OTP')]);
    expect(verdict).toEqual({ ok: false, reason: 'BAD_OTP' });
  });
});

describe('many simultaneous verifications', () => {
  it('each get their own verdict (yubiserver answers other connections)', async () => {
    const statuses = ['OK', 'BAD_OTP', 'REPLAYED_OTP'] as const;
    const readStatus = (otp: string) =>
      statuses[otp.charCodeAt(otp.length - 1) % 3] as (typeof statuses)[number];
    const server = await startFakeServer((query, res, req) => {
      const status = readStatus(query.get('otp') as string);
      delayed(Math.random() * 30, answer(status))(query, res, req);
    });
    const verifier = createVerifier([server.url], { settleTime: 0, timeout: 60_000, attemptTimeout: 20_000 });
    const otps = Array.from({ length: 300 }, () => parseOtp(yubikey.press()));
    const verdicts = await Promise.all(otps.map((otp) => verifier.verify(otp)));
    expect(verdicts.map((verdict) => (verdict.ok ? 'OK' : verdict.reason))).toEqual(
      otps.map(({ value }) => readStatus(value)),
    );
  });
});
