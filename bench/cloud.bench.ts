import { CloudVerifier, parseOtp } from 'passport-yubikey-otp';
import { formatValidationRequest, parseApiKey } from 'passport-yubikey-otp/protocol';
import { Agent, request } from 'undici';
import { newNonce } from '../src/verifiers/verifier.js';
import { type Ask, type Load, latencies } from './cloud/latency.js';
import { Libykclient } from './cloud/libykclient.js';
import { API_KEY, CLIENT_ID, Servers } from './cloud/servers.js';
import { compare, difference, type Figures } from './compare.js';
import { Otps } from './otps.js';
import { keepReport } from './report.js';

/**
 * Measures the time that CloudVerifier adds to a request to the fastest of five servers; the others are slow, hung or
 * dead, or answer garbage. The baseline is a bare undici request to the fastest server over a kept-alive connection.
 */
const ONE_AFTER_ANOTHER: Load = { callers: 1, warmUpMs: 700, measuredMs: 1500 };
const MANY: Load = { callers: 1000, warmUpMs: 3500, measuredMs: 2000 };
/** A distance at which the core is not saturated by as many requests in flight. */
const FAR_MS = 400;

const otps = new Otps(1_000);
const near = await Servers.start();
const far = await Servers.start(FAR_MS);
const libykclient = Libykclient.compile();

/** Signed requests, prepared before the measurement. */
const queries = otps.take(5_000).map((otp) => {
  const nonce = newNonce();
  const query = formatValidationRequest({ id: CLIENT_ID, otp: parseOtp(otp), nonce }, parseApiKey(API_KEY));
  return { nonce, query };
});
let asked = 0;

const newAgent = () => new Agent({ keepAliveTimeout: 30_000, headersTimeout: 0, bodyTimeout: 0 });

const bareRequester =
  ({ fast }: Servers, dispatcher: Agent): Ask =>
  async () => {
    const { nonce, query } = queries[asked++ % queries.length] as (typeof queries)[0];
    const { body } = await request(`${fast}?${query}`, { dispatcher });
    const answer = await body.text();
    if (!answer.includes(`nonce=${nonce}`) || !answer.includes('status=OK')) throw new Error(answer);
  };

const fresh = otps.take(200_000);
let pressed = 0;

const cloudRequester =
  (verifier: CloudVerifier): Ask =>
  async () => {
    const verification = await verifier.verify(parseOtp(fresh[pressed++ % fresh.length] as string));
    if (!verification.ok) throw new Error('an OTP was refused');
  };

function bare(name: string, servers: Servers, load: Load) {
  return {
    name,
    async measure() {
      const agent = newAgent();
      try {
        return await latencies(bareRequester(servers, agent), load);
      } finally {
        await agent.destroy();
      }
    },
  };
}

function cloud(name: string, servers: Servers, load: Load) {
  return {
    name,
    async measure() {
      const verifier = new CloudVerifier({ clientId: CLIENT_ID, apiKey: API_KEY, servers: servers.all });
      try {
        return await latencies(cloudRequester(verifier), load);
      } finally {
        await verifier.close();
      }
    },
  };
}

let bareBesideFigures: Figures | undefined;

/** Ten callers send bare requests in the same process, under the load of 1,000 CloudVerifier calls. */
const manyWithBareBeside = {
  ...cloud('CloudVerifier, 1,000 at once', near, MANY),
  async measure() {
    const agent = newAgent();
    const { name } = manyWithBareBeside;
    const probe = latencies(bareRequester(near, agent), { ...MANY, callers: 10 });
    const [figures, beside] = await Promise.all([cloud(name, near, MANY).measure(), probe]);
    bareBesideFigures = beside;
    await agent.destroy();
    return figures;
  },
};
const bareBeside = {
  name: 'bare undici request, beside these 1,000',
  measure: async () => bareBesideFigures as Figures,
};

const bareAlone = bare('bare undici request', near, ONE_AFTER_ANOTHER);
const cloudAlone = cloud('CloudVerifier', near, ONE_AFTER_ANOTHER);
const bareMany = bare('bare undici request, 1,000 at once', near, MANY);
const bareFar = bare(`bare undici request, 1,000 at once, ${FAR_MS} ms away`, far, MANY);
const cloudFar = cloud(`CloudVerifier, 1,000 at once, ${FAR_MS} ms away`, far, MANY);
const peer = libykclient && {
  name: 'libykclient, without the garbage, with which it fails',
  measure: () => libykclient.measure(otps.take(16), near.withoutGarbage),
};

try {
  const measured = await compare([
    bareAlone,
    cloudAlone,
    ...(peer ? [peer] : []),
    bareMany,
    manyWithBareBeside,
    bareBeside,
    bareFar,
    cloudFar,
  ]);
  const over = (what: string, figure: string, of: string, to: string, atMost: number) => ({
    what: `${what}, ${figure}`,
    reached: difference(measured, figure, of, to),
    atMost,
  });
  keepReport({
    bench: 'cloud',
    measured,
    goals: [
      over('CloudVerifier over the bare request', 'p50, ms', cloudAlone.name, bareAlone.name, 1),
      over('CloudVerifier over the bare request', 'p99, ms', cloudAlone.name, bareAlone.name, 5),
      over('1,000 at once: over bare ones beside', 'p50, ms', manyWithBareBeside.name, bareBeside.name, 5),
      over(`1,000 at once, ${FAR_MS} ms away: over 1,000 bare`, 'p50, ms', cloudFar.name, bareFar.name, 5),
      over('1,000 at once: over 1,000 bare', 'p50, ms', manyWithBareBeside.name, bareMany.name, 5),
    ],
    skipped: {
      ...(peer ? {} : { libykclient: 'not installed (Debian: libykclient-dev and a C compiler)' }),
      'python-yubico-client': 'not in Debian',
    },
    notes: [
      'The five servers: a fast one; one half a second slower; one that never answers; one that immediately answers ' +
        'HTTP 200 and 250 bytes of garbage; and a closed port. A failed verification ends the benchmark.',
      '"1,000 at once" keeps one core busy, so each call takes 1,000 times the processor time of one call. 5 ms over ' +
        '1,000 bare requests would be 5 microseconds over one, which is less than it takes to sign a request and to ' +
        'check the signature of an answer. Bare requests sent beside these calls are under the same load.',
      `"${FAR_MS} ms away": the servers answer after this delay, so the core is idle part of the time.`,
    ],
  });
} finally {
  near.stop();
  far.stop();
  libykclient?.remove();
}
