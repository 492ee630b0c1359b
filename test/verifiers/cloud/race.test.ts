import { describe, expect, it } from 'vitest';
import { CloudVerifier } from '../../../src/index.js';
import { isFault, runTrial } from '../../support/verifiers/cloud/trials.js';

const TRIALS = 1500;
const CHUNK = 100;

const seeds = Array.from({ length: TRIALS }, (_, seed) => seed);
const chunks = Array.from({ length: TRIALS / CHUNK }, (_, at) => seeds.slice(at * CHUNK, (at + 1) * CHUNK));

/** What must hold for one verification, whatever its servers do. */
function check({ trial, requests, outcomes }: Awaited<ReturnType<typeof runTrial>>, at: number): void {
  const { isUsed, startsAfter } = trial.verifications[at] as (typeof trial.verifications)[number];
  const outcome = outcomes[at] as (typeof outcomes)[number];
  const own = requests.filter(({ verification }) => verification === at);
  const isAccepted = own.some(({ accepted }) => accepted);
  const heardBefore = own.filter(({ answeredAt = Infinity, aborted }) => answeredAt < outcome.at && !aborted);

  if (outcome.result === 'OK') expect({ isUsed, isAccepted }).toEqual({ isUsed: false, isAccepted: true });
  if (outcome.result.startsWith('REPLAYED'))
    expect({ isUsed, isAccepted }).toEqual({ isUsed: true, isAccepted: false });
  if (outcome.result !== 'OK') expect(heardBefore.filter(({ status }) => status === 'OK')).toEqual([]);
  expect(outcome.at - 1000 - startsAfter).toBeLessThanOrEqual(trial.options.timeout + 1);

  for (const [server, url] of trial.options.servers.entries()) {
    const here = own.filter((request) => request.server === server);
    expect(here.length).toBeLessThanOrEqual(trial.options.retries + 1);
    if (isFault(outcome) && outcome.result !== 'ABORTED') {
      expect(outcome.error.servers.some((fault) => fault.server === url)).toBe(here.length > 0);
    }
  }
  // What nobody waits for any more does not stay open.
  expect(own.filter(({ answeredAt, aborted }) => answeredAt === undefined && !aborted)).toEqual([]);
  expect(new Set(own.map(({ query }) => query)).size).toBeLessThanOrEqual(1);
  if (trial.options.protocol === '1.0') {
    // Only the last server that was asked may have received the OTP.
    expect(own.slice(0, -1).filter(({ accepted }) => accepted)).toEqual([]);
  }
}

describe(`CloudVerifier in ${TRIALS} trials with servers that fail in random ways`, () => {
  it.each(chunks)('gives each verification its right outcome in time: from seed %i', async (...some) => {
    for (const seed of some) {
      const report = await runTrial(seed, (options) => new CloudVerifier(options));
      for (const at of report.outcomes.keys()) {
        try {
          check(report, at);
        } catch (cause) {
          throw new Error(`seed ${seed}, verification ${at}`, { cause });
        }
      }
    }
  });
});
