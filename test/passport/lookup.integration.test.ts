import { setTimeout as sleep } from 'node:timers/promises';
import type { Request } from 'express';
import { describe, expect, it } from 'vitest';
import { type Lookup, type YubikeyIdentity, YubikeyStrategy } from '../../src/index.js';
import {
  ALICE,
  anOtp,
  authenticator,
  credulousVerifier,
  EXPRESSES,
  errorHandler,
  logIn,
  type Reached,
  signInApp,
  WAYS,
} from '../support/passport/app.js';
import { FAILING, FINDING, NO_ERRORS, NOT_FINDING } from '../support/passport/lookups.js';

type ALookup = Lookup<[YubikeyIdentity]>;

const UNKNOWN_USER = { code: 'UNKNOWN_USER', message: 'Invalid OTP' };
const strategyWith = (lookup: ALookup) => new YubikeyStrategy({ verifier: credulousVerifier() }, lookup);

/** Every outcome of one request, including late ones. */
async function collectOutcomes(lookup: ALookup): Promise<unknown[][]> {
  const outcomes: unknown[][] = [];
  const strategy = Object.create(strategyWith(lookup));
  for (const outcome of ['success', 'fail', 'error', 'pass', 'redirect']) {
    strategy[outcome] = (...args: unknown[]) => outcomes.push([outcome, ...args]);
  }
  strategy.authenticate({ body: { otp: anOtp() } } as Request);
  await sleep(8);
  return outcomes;
}

describe('a lookup settles a request exactly once when it', () => {
  it.for(Object.entries(FINDING))('%s', async ([, lookup]) => {
    expect(await collectOutcomes(lookup)).toEqual([['success', ALICE, undefined]]);
  });

  it.for(Object.entries(NOT_FINDING))('%s for no user', async ([, lookup]) => {
    expect(await collectOutcomes(lookup)).toEqual([['fail', UNKNOWN_USER, 401]]);
  });

  it.for(Object.entries(FAILING))('%s', async ([, { error, lookup }]) => {
    const [outcome, ...more] = await collectOutcomes(lookup);
    expect(outcome?.[0]).toBe('error');
    expect(outcome?.[1]).toBe(error);
    expect(more).toEqual([]);
  });

  it('calls back with an info for a user', async () => {
    const info = { scope: 'all' };
    expect(await collectOutcomes((_identity, done) => done(null, ALICE, info))).toEqual([
      ['success', ALICE, info],
    ]);
  });

  it('calls back with an info for no user', async () => {
    const info = { message: 'This key was revoked' };
    expect(await collectOutcomes((_identity, done) => done(null, false, info))).toEqual([
      ['fail', info, 401],
    ]);
  });

  it.each(NO_ERRORS)('throws %j, which is not an error', async (thrown) => {
    const outcomes = await collectOutcomes(() => {
      throw thrown;
    });
    expect(outcomes).toEqual([['error', expect.any(Error)]]);
    expect(outcomes[0]?.[1]).toMatchObject({ cause: thrown });
  });
});

const onEveryExpress = EXPRESSES.flatMap((each) => WAYS.map((way) => ({ ...each, way })));

describe.each(onEveryExpress)('on $version, by $way, a lookup that', ({ express, way }) => {
  async function answer(lookup: ALookup): Promise<{ status: number; reached: Reached[] }> {
    const { app, reached } = signInApp(express, strategyWith(lookup), { way });
    const { status } = await logIn(app, { otp: anOtp() });
    await sleep(4);
    return { status, reached };
  }

  it.for(Object.entries(FINDING))('%s signs in', async ([, lookup]) => {
    expect(await answer(lookup)).toEqual({ status: 200, reached: [{ user: ALICE }] });
  });

  it.for(Object.entries(NOT_FINDING))('%s for no user is refused', async ([, lookup]) => {
    expect(await answer(lookup)).toEqual({ status: 401, reached: [] });
  });

  it.for(Object.entries(FAILING))('%s has its error passed on', async ([, { error, lookup }]) => {
    const { status, reached } = await answer(lookup);
    expect(reached).toHaveLength(1);
    expect((reached[0] as { error: unknown }).error).toBe(error);
    expect(status).toBe((error as Error & { status: number }).status);
  });

  it.each(NO_ERRORS)('throws %j lets nobody through to the next handler', async (thrown) => {
    const strategy = strategyWith(() => Promise.reject(thrown));
    const reached: Reached[] = [];
    const app = express();
    app.use(express.json(), authenticator(strategy, way)());
    app.post('/login', (_req, res) => {
      res.send('secret');
    });
    app.use(errorHandler((error) => reached.push({ error })));
    await logIn(app, { otp: anOtp() }).expect(500, {});
    expect(reached).toHaveLength(1);
  });
});
