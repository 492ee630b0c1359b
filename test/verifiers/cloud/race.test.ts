import { describe, expect, it } from 'vitest';
import { CloudVerifier } from '../../../src/index.js';
import { runTrial, type TrialReport } from '../../support/verifiers/cloud/trials.js';

const TRIALS = 1500;
const CHUNK = 100;

const seeds = Array.from({ length: TRIALS }, (_, seed) => seed);
const chunks = Array.from({ length: TRIALS / CHUNK }, (_, at) => seeds.slice(at * CHUNK, (at + 1) * CHUNK));

/** Milliseconds by which timers may be early or late. */
const TICK = 1;
const RETRY_DELAY = 500;

type Request = TrialReport['requests'][number];

/** Whether a fault may pass if the server is asked again. */
function isPassing({ behaviour, status }: Request): boolean {
  return (
    status === 'BACKEND_ERROR' || ['refused-connection', 'reset', 'http-500', 'front-429'].includes(behaviour)
  );
}

/** What is known of one verification of a trial. */
function readVerification({ trial, requests, outcomes }: TrialReport, at: number) {
  const verification = trial.verifications[at] as (typeof trial.verifications)[number];
  const outcome = outcomes[at] as (typeof outcomes)[number];
  const own = requests.filter((request) => request.verification === at);
  const isHeard = ({ answeredAt = Infinity }: Request) => answeredAt <= outcome.at;
  return {
    ...trial.options,
    ...verification,
    ...outcome,
    own,
    heard: own.filter(isHeard),
    pending: own.filter((request) => !isHeard(request)),
    perServer: trial.options.servers.map((_, server) => own.filter((request) => request.server === server)),
    hasTimedOut: outcome.at >= outcome.startedAt + trial.options.timeout - TICK,
    isUndecided: outcome.error !== undefined && outcome.result !== 'ABORTED',
  };
}

type Verification = ReturnType<typeof readVerification>;

/** The OTP was accepted by us, or used before: the verdict says which. */
function checkVerdict({ result, at, isUsed, own, heard, pending, settleTime, hasTimedOut }: Verification) {
  const isAccepted = own.some(({ accepted }) => accepted);
  const oks = heard.filter(({ status }) => status === 'OK').map(({ answeredAt }) => answeredAt);
  if (result === 'OK') {
    expect({ isUsed, isAccepted }).toEqual({ isUsed: false, isAccepted: true });
    expect(at).toBe(Math.min(...(oks as number[])));
  } else if (result !== 'ABORTED') {
    expect(oks).toEqual([]);
  }
  if (result.startsWith('REPLAYED')) {
    expect({ isUsed, isAccepted }).toEqual({ isUsed: true, isAccepted: false });
  }
  if (result === 'BAD_OTP' || result === 'DELAYED_OTP') {
    const refusals = heard.filter(({ status }) => status === 'BAD_OTP' || status === 'DELAYED_OTP');
    expect(refusals).not.toEqual([]);
    const earliest = Math.min(...refusals.map(({ answeredAt = Infinity }) => answeredAt));
    expect(at).toBeLessThanOrEqual(earliest + (settleTime as number) + TICK);
    if (at < earliest + (settleTime as number) - TICK && !hasTimedOut) expect(pending).toEqual([]);
  }
}

/** Without a verdict, everything was tried, and the error tells it. */
function checkFault({
  result,
  error,
  own,
  perServer,
  servers,
  retries,
  hasTimedOut,
  protocol,
  pending,
}: Verification) {
  const wereAsked = servers.filter((_, at) => (perServer[at] as Request[]).length > 0);
  expect(error?.servers.map(({ server }) => server)).toEqual(wereAsked);
  for (const { server, message } of error?.servers ?? []) {
    const { length } = perServer[servers.indexOf(server)] as Request[];
    expect(message.includes(`(${length} attempts)`)).toBe(length > 1);
  }
  const hasReplay = own.some(({ status, answeredAt }) => status?.startsWith('REPLAYED') && answeredAt);
  if (result === 'ANSWER_LOST') expect(hasReplay).toBe(true);
  if (hasTimedOut) {
    const isAskedAgain = (here: Request[]) => here.length <= retries && here.every(isPassing);
    expect(pending.length > 0 || perServer.some(isAskedAgain)).toBe(true);
  }
  if (hasTimedOut || protocol === '1.0') return;
  expect(wereAsked).toEqual(servers);
  expect(pending).toEqual([]);
  for (const here of perServer) {
    if (here.every(isPassing)) expect(here).toHaveLength((retries as number) + 1);
  }
}

/** Servers are asked often enough, and not too often. */
function checkRequests({ own, perServer, timeout, retries, at, protocol, startedAt }: Verification) {
  expect(at).toBeLessThanOrEqual(startedAt + timeout + TICK);
  // What nobody waits for any more does not stay open.
  expect(own.filter(({ answeredAt, aborted }) => answeredAt === undefined && !aborted)).toEqual([]);
  expect(new Set(own.map(({ query }) => query)).size).toBe(1);
  const attemptTimeout = Math.ceil(timeout / (retries + 1));
  for (const here of perServer) {
    expect(here.length).toBeLessThanOrEqual(retries + 1);
    for (const [number, request] of here.entries()) {
      const next = here[number + 1];
      if (next)
        expect(next.at - request.at).toBeGreaterThanOrEqual(Math.min(RETRY_DELAY, attemptTimeout) - TICK);
      const { answeredAt = Infinity } = request;
      if (!isPassing(request)) {
        expect(here.filter(({ at }) => at > answeredAt)).toEqual([]);
      }
      const isSilent = here.every(
        ({ answeredAt = Infinity }) => answeredAt > request.at + attemptTimeout + TICK,
      );
      if (isSilent && number < retries && at > request.at + attemptTimeout + 2 * TICK) {
        expect((next as Request).at).toBeLessThanOrEqual(request.at + attemptTimeout + TICK);
      }
    }
  }
  if (protocol !== '1.0') return;
  // Only the last server that was asked may have received the OTP.
  for (const { accepted, answeredAt } of own.slice(0, -1)) {
    expect({ accepted, isAnswered: answeredAt !== undefined }).toEqual({ accepted: false, isAnswered: true });
  }
}

function check(report: TrialReport, at: number): void {
  const verification = readVerification(report, at);
  checkVerdict(verification);
  if (verification.isUndecided) checkFault(verification);
  checkRequests(verification);
  const { result, abortsAfter = Infinity } = verification;
  const duration = verification.at - verification.startedAt;
  if (result === 'ABORTED') expect(duration).toBe(abortsAfter);
  else expect(duration).toBeLessThanOrEqual(abortsAfter);
}

describe(`CloudVerifier in ${TRIALS} trials with servers that fail in random ways`, () => {
  it.each(chunks)('gives each verification its right outcome in time: from seed %i', async (...some) => {
    for (const seed of some) {
      const report = await runTrial(seed, (options) => new CloudVerifier(options));
      for (const at of report.outcomes.keys()) {
        try {
          check(report, at);
        } catch (cause) {
          throw new Error(`seed ${seed}, verification ${at}: ${(cause as Error).message}`, { cause });
        }
      }
    }
  });
});
