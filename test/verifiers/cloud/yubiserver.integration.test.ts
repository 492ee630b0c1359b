import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { CloudVerifier, type CloudVerifierOptions, parseOtp } from '../../../src/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { describeWith } from '../../support/programs.js';
import { withStoppedClock } from '../../support/stopped-clock.js';
import {
  type Behaviour,
  breakOff,
  deadServer,
  hang,
  httpStatus,
  startFakeServer,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import { catchError, closeAll } from '../../support/verifiers/cloud/harness.js';
import { startYubiserver, type Yubiserver } from '../../support/verifiers/cloud/yubiserver.js';

/** A new key for each test, because yubiserver refuses a touch in the same tick (1/8 s) of a key's clock as the last. */
const yubikeys = Array.from({ length: 10 }, () => new SoftYubikey());
const nextTick = () => sleep(150);

describeWith("against Debian's yubiserver", ['yubiserver', 'yubiserver-admin'], () => {
  let yubiserver: Yubiserver;
  let yubikey: SoftYubikey;
  let OK: object;

  beforeAll(async () => {
    yubiserver = await startYubiserver(yubikeys);
  });
  beforeEach(() => {
    yubikey = yubikeys.pop() as SoftYubikey;
    OK = { ok: true, identity: { publicId: yubikey.publicId } };
  });
  afterAll(() => yubiserver?.stop());
  afterEach(closeAll);

  async function verify(typed: string, options: Partial<CloudVerifierOptions> = {}) {
    const { clientId, apiKey, url } = yubiserver;
    const verifier = new CloudVerifier({ clientId, apiKey, servers: [url], timeout: 20_000, ...options });
    return verifier.verify(parseOtp(typed)).finally(() => verifier.close());
  }

  /** Forwards requests to yubiserver, and changes its answers. */
  const inFront =
    (change: (answer: string) => string): Behaviour =>
    async (_query, res, req) => {
      const query = new URL(req.url as string, 'http://proxy').search;
      const { body } = await request(yubiserver.url + query);
      res.end(change(await body.text()));
    };

  it('a fresh OTP is OK, its repetition REPLAYED_OTP, and a later one OK', async () => {
    const otp = yubikey.press();
    expect(await verify(otp)).toEqual(OK);
    expect(await verify(otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    await nextTick();
    expect(await verify(yubikey.press())).toEqual(OK);
  });

  it('an older OTP after a newer one is REPLAYED_OTP', async () => {
    const older = yubikey.press();
    await nextTick();
    const newer = yubikey.press();
    expect(await verify(newer)).toEqual(OK);
    expect(await verify(older)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
  });

  it('an unknown key and a corrupt OTP are BAD_OTP', async () => {
    const stranger = new SoftYubikey();
    const imposter = new SoftYubikey({ publicId: yubikey.publicId });
    expect(await verify(stranger.press())).toEqual({ ok: false, reason: 'BAD_OTP' });
    expect(await verify(imposter.press())).toEqual({ ok: false, reason: 'BAD_OTP' });
  });

  it('capitals and another keyboard layout are normalised before sending', async () => {
    const dvorak = SoftYubikey.fromJSON({ ...yubikey.toJSON(), layout: 'us(dvorak)' });
    expect(await verify(dvorak.press().toUpperCase())).toEqual(OK);
  });

  it('its answers are not accepted with a wrong API key, and an unknown client is NO_SUCH_CLIENT', async () => {
    const wrongKey = await catchError(verify(yubikey.press(), { apiKey: 'b3RoZXIgYXBpIGtleSBvZiAyMA==' }));
    expect(wrongKey).toMatchObject({ code: 'ANSWER_FORGED', servers: [{ authenticated: false }] });
    expect(wrongKey.message).toContain('apiKey');
    const unknown = await catchError(verify(yubikey.press(), { clientId: 4711 }));
    expect(unknown).toMatchObject({
      code: 'NO_SUCH_CLIENT',
      status: 500,
      servers: [{ authenticated: false }],
    });
  });

  it('decides among four other servers that are down, hang, fail or send garbage', async () => {
    const others = await Promise.all(
      [hang, httpStatus(500), text('<html>')].map((it) => startFakeServer(it)),
    );
    const servers = [await deadServer(), ...others.map(({ url }) => url), yubiserver.url];
    await withStoppedClock(async () => {
      expect(await verify(yubikey.press(), { servers })).toEqual(OK);
    });
  });

  it('its answers are refused if they are changed on the way', async () => {
    const changes: ((answer: string) => string)[] = [
      (answer) => answer.replace('status=BAD_OTP', 'status=OK'),
      (answer) => answer.replace(/h=.*/, 'h='),
      (answer) => answer.replace(/h=.*\r?\n/, ''),
      (answer) => answer.replace(/nonce=./, 'nonce=_'),
      (answer) => `status=OK\r\n${answer}`,
    ];
    for (const change of changes) {
      const front = await startFakeServer(inFront(change));
      const error = await catchError(verify(new SoftYubikey().press(), { servers: [front.url], retries: 0 }));
      expect(['ANSWER_FORGED', 'ANSWER_MALFORMED']).toContain(error.code);
    }
  });

  it('a recorded OK is not a verdict for a later OTP', async () => {
    let recorded = '';
    const recorder = await startFakeServer(inFront((answer) => (recorded ||= answer)));
    expect(await verify(yubikey.press(), { servers: [recorder.url] })).toEqual(OK);
    await nextTick();
    const error = await catchError(verify(yubikey.press(), { servers: [recorder.url], retries: 0 }));
    expect(error.code).toBe('ANSWER_FORGED');
    expect(recorded).toContain('status=OK');
  });

  it('a lost answer is ANSWER_LOST, never OK', async () => {
    let lost = 0;
    const front = await startFakeServer(async (query, res, req) => {
      if (lost++ > 0) return inFront((answer) => answer)(query, res, req);
      await request(yubiserver.url + new URL(req.url as string, 'http://proxy').search).then(({ body }) =>
        body.dump(),
      );
      breakOff(query, res, req);
    });
    // yubiserver does not use REPLAYED_REQUEST and treats the retry as a replay.
    const error = await catchError(verify(yubikey.press(), { servers: [front.url] }));
    expect(error.code).toBe('ANSWER_LOST');
  });

  it('signs incorrectly if counters are requested, so that is off by default', async () => {
    expect(await catchError(verify(yubikey.press(), { counters: true }))).toMatchObject({
      code: 'ANSWER_FORGED',
    });
  });
});
