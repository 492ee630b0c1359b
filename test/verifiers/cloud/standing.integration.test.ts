import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CloudVerifier, parseOtp, YubikeyError } from '../../../src/index.js';
import { readCloudSettings } from '../../../src/verifiers/cloud/cloud-settings.js';
import { Race } from '../../../src/verifiers/cloud/race.js';
import { Standing } from '../../../src/verifiers/cloud/standing.js';
import { until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  API_KEY,
  answer,
  type Behaviour,
  CLIENT_ID,
  hang,
  httpStatus,
  inTurn,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  catchError,
  closeAll,
  createVerifier,
  OK,
  startAll,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

const verify = (verifier: CloudVerifier) => verifier.verify(parseOtp(yubikey.press()));

async function start(first: Behaviour, second: Behaviour) {
  const servers = await startAll(first, second);
  const verifier = createVerifier(servers.map(({ url }) => url));
  return { servers: servers as [(typeof servers)[0], (typeof servers)[0]], verifier };
}

describe('a server that has just failed', () => {
  it('is not asked in each verification, but again after half a second', async () => {
    const { servers, verifier } = await start(answer('OK'), httpStatus(500));
    const failing = servers[1];
    await withStoppedClock(async () => {
      await verify(verifier);
      await until(() => failing.answered === 1);
      for (let touch = 0; touch < 10; touch++) expect(await verify(verifier)).toEqual(OK);
      vi.advanceTimersByTime(499);
      await verify(verifier);
      expect(failing.requests).toHaveLength(1);
      vi.advanceTimersByTime(1);
      await verify(verifier);
      await until(() => failing.requests.length === 2);
    });
  });

  it('is asked immediately if it is the only one', async () => {
    const [server] = await startAll(inTurn(httpStatus(403), answer('OK')));
    const verifier = createVerifier([server?.url as string]);
    expect(await catchError(verify(verifier))).toMatchObject({ code: 'REFUSED_BY_FRONT' });
    await withStoppedClock(async () => {
      expect(await verify(verifier)).toEqual(OK);
    });
  });

  for (const [what, behaviour] of [
    ['fail', httpStatus(403)],
    ['answer with a refusal, with which it may disagree', answer('BAD_OTP')],
    ['have seen the OTP before', answer('REPLAYED_REQUEST')],
  ] as const) {
    it(`is asked as soon as the others ${what}`, async () => {
      const { servers, verifier } = await start(
        inTurn(answer('OK'), behaviour),
        inTurn(httpStatus(403), answer('OK')),
      );
      await withStoppedClock(async () => {
        await verify(verifier);
        await until(() => servers[1].answered === 1);
        expect(await verify(verifier)).toEqual(OK);
      });
      expect(servers.map(({ requests }) => requests.length)).toEqual([2, 2]);
    });
  }

  it('is asked half a second later if the others do not answer', async () => {
    const { servers, verifier } = await start(
      inTurn(answer('OK'), hang),
      inTurn(httpStatus(403), answer('OK')),
    );
    await withStoppedClock(async () => {
      await verify(verifier);
      await until(() => servers[1].answered === 1);
      const verification = verify(verifier);
      await until(() => servers[0].requests.length === 2);
      expect(servers[1].requests).toHaveLength(1);
      vi.advanceTimersByTime(500);
      expect(await verification).toEqual(OK);
    });
  });

  it('is asked before the timeout, however short that is', async () => {
    const servers = await startAll(inTurn(answer('OK'), hang), inTurn(httpStatus(403), answer('OK')));
    const verifier = createVerifier(
      servers.map(({ url }) => url),
      { timeout: 400, retries: 0 },
    );
    await withStoppedClock(async () => {
      await verify(verifier);
      await until(() => servers[1]?.answered === 1);
      const verification = verify(verifier);
      await until(() => servers[0]?.requests.length === 2);
      vi.advanceTimersByTime(200);
      expect(await verification).toEqual(OK);
    });
  });

  it('is named in an error', async () => {
    const { servers, verifier } = await start(httpStatus(403), httpStatus(404));
    for (let touch = 0; touch < 2; touch++) {
      const error = await catchError(verify(verifier));
      expect(error.servers?.map(({ server }) => server)).toEqual(servers.map(({ url }) => url));
    }
  });
});

describe('a server that hangs', () => {
  it('gets few requests, and not a connection for each verification', async () => {
    const { servers, verifier } = await start(answer('OK'), hang);
    await withStoppedClock(async () => {
      for (let touch = 0; touch < 200; touch++) expect(await verify(verifier)).toEqual(OK);
    });
    expect(servers[0].requests).toHaveLength(200);
    expect(servers[1].connections).toBeLessThanOrEqual(20);
  });

  it('is asked again after its requests were abandoned', async () => {
    const servers = await startAll(answer('OK'), hang);
    const verifier = createVerifier(
      servers.map(({ url }) => url),
      { timeout: 1000 },
    );
    await withStoppedClock(async () => {
      for (let touch = 0; touch < 40; touch++) await verify(verifier);
      const asked = servers[1]?.requests.length as number;
      await verify(verifier);
      expect(servers[1]?.requests).toHaveLength(asked);
      vi.advanceTimersByTime(1000);
      await until(() => true);
      await verify(verifier);
      await until(() => servers[1]?.requests.length === asked + 1);
    });
  });
});

it('many simultaneous verifications do not all ask servers that do not answer', () => {
  const servers = ['one', 'other', 'third'];
  const standings = new Map(servers.map((server) => [server, new Standing()]));
  const asked: string[] = [];
  const ask = (server: string) => {
    asked.push(server);
    return { abort: () => undefined };
  };
  const settings = readCloudSettings({ clientId: CLIENT_ID, apiKey: API_KEY });
  const races = Array.from({ length: 400 }, () => {
    const race = new Race(settings, standings, ask, () => undefined);
    race.start().catch(() => undefined);
    return race;
  });
  // Each of the three servers gets 64 requests. Then each verification asks one of them.
  expect(asked).toHaveLength(3 * 64 + 400 - 64);
  for (const race of races) race.cancel(new YubikeyError('CLOSED', 'enough'));
});
