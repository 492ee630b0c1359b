import { CloudVerifier, parseOtp } from 'passport-yubikey-otp';
import { Agent, request } from 'undici';
import { parseApiKey } from '../src/protocol/signature.js';
import { formatValidationRequest } from '../src/protocol/validation-request.js';
import { newNonce } from '../src/verifiers/nonce.js';
import { type Ask, type Load, latencies } from './cloud/latency.js';
import { Libykclient } from './cloud/libykclient.js';
import { API_KEY, CLIENT_ID, Servers } from './cloud/servers.js';
import { compare, difference, type Figures } from './compare.js';
import { Otps } from './otps.js';
import { keepReport } from './report.js';

/**
 * What CloudVerifier adds to a request to the fastest of five servers, the others of which are slow, hung, dead or
 * answer garbage: beside a bare undici request to the fastest alone, over connections kept as CloudVerifier keeps them.
 */
const ONE_AFTER_ANOTHER: Load = { callers: 1, warmUpMs: 700, measuredMs: 1500 };
const MANY: Load = { callers: 1000, warmUpMs: 3500, measuredMs: 2000 };
/** As many in flight, but most of the time on their way: one core has something to spare. */
const FAR_MS = 400;

const otps = new Otps(1_000);
const near = await Servers.start();
const far = await Servers.start(FAR_MS);
const libykclient = Libykclient.compile();

/** Signed requests, made before they are measured. */
const queries = otps.take(5_000).map((otp) => {
  const nonce = newNonce();
  return { nonce, query: formatValidationRequest({ id: CLIENT_ID, otp, nonce }, parseApiKey(API_KEY)) };
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

let besideThem: Figures | undefined;

/** Under the very load of 1,000 CloudVerifier calls: ten who send bare requests, in the same process. */
const manyWithBareBeside = {
  ...cloud('CloudVerifier, 1,000 at once', near, MANY),
  async measure() {
    const agent = newAgent();
    const { name } = manyWithBareBeside;
    const probe = latencies(bareRequester(near, agent), { ...MANY, callers: 10 });
    const [figures, beside] = await Promise.all([cloud(name, near, MANY).measure(), probe]);
    besideThem = beside;
    await agent.destroy();
    return figures;
  },
};
const bareBeside = {
  name: 'bare undici request, beside these 1,000',
  measure: async () => besideThem as Figures,
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
      'The five servers: the fast one; one half a second slower; one that never answers; one that answers HTTP 200 ' +
        'and 250 bytes of garbage at once; and a port where nobody listens. A failed verification ends the benchmark.',
      '"1,000 at once" keeps one core busy all the time, so what a call takes is 1,000 times the processor time of ' +
        'one. 5 ms over 1,000 bare requests would be 5 microseconds over one: less than to sign a request and to check ' +
        'the signature of an answer. The same load is that of the bare requests that were sent beside these calls.',
      `"${FAR_MS} ms away": servers that answer so late, so that 1,000 are in flight while the core has time to spare.`,
    ],
  });
} finally {
  near.stop();
  far.stop();
  libykclient?.remove();
}
