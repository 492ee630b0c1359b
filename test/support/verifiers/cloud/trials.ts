import type { Dispatcher } from 'undici';
import type { CloudVerifier, CloudVerifierOptions } from '../../../../src/index.js';
import { parseOtp, YubikeyError } from '../../../../src/index.js';
import { parseApiKey } from '../../../../src/protocol/api-key.js';
import type { Status } from '../../../../src/protocol/status.js';
import { formatValidationResponse } from '../../../../src/protocol/validation-response.js';
import { SoftYubikey } from '../../../../src/testing/index.js';
import { VirtualClock } from '../../virtual-clock.js';
import { API_KEY, CLIENT_ID } from './fake-server.js';

/** A trial: a pool of servers that fail in random ways, and some verifications there. The seed tells everything. */
interface Trial {
  readonly options: CloudVerifierOptions & { servers: string[]; timeout: number; retries: number };
  readonly verifications: readonly TrialVerification[];
}

interface TrialVerification {
  readonly otp: string;
  readonly startsAfter: number;
  readonly abortsAfter: number | undefined;
  /** Whether the OTP was used before. */
  readonly isUsed: boolean;
}

/** A request that reached the network. */
interface TrialRequest {
  readonly at: number;
  readonly server: number;
  readonly verification: number;
  readonly behaviour: Behaviour;
  readonly query: string;
  /** Whether the pool accepted the OTP because of this request. */
  accepted: boolean;
  /** When its answer, or its error, reached the client. */
  answeredAt: number | undefined;
  status: Status | undefined;
  aborted: boolean;
}

interface TrialOutcome {
  readonly startedAt: number;
  readonly at: number;
  /** OK, a reason, or the code of an error. */
  readonly result: string;
  readonly error: YubikeyError | undefined;
}

export interface TrialReport {
  readonly trial: Trial;
  readonly requests: readonly TrialRequest[];
  readonly outcomes: readonly TrialOutcome[];
}

const SIGNED = ['honest', 'backend-error', 'not-enough', 'bad-otp', 'delayed-otp', 'no-such-client'] as const;
const UNPROCESSED = ['refused-connection', 'tls', 'front-403', 'front-429', 'redirect', 'hang'] as const;
const SPOILED = [
  'reset',
  'http-500',
  'garbage',
  'forged',
  'other-nonce',
  'unsigned',
  'processed-hang',
] as const;
type Behaviour = (typeof SIGNED)[number] | (typeof UNPROCESSED)[number] | (typeof SPOILED)[number];

/** A random number from 0 to 1 for these numbers, always the same. */
function draw(...numbers: number[]): number {
  let hash = 0x811c9dc5;
  for (const number of numbers) {
    hash = Math.imul(hash ^ number, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    hash ^= hash >>> 15;
  }
  return (hash >>> 0) / 2 ** 32;
}

function pick<T>(of: readonly T[], random: number): T {
  return of[Math.floor(random * of.length)] as T;
}

function planTrial(seed: number): Trial {
  const is10 = draw(seed, 1) < 0.2;
  const count = 1 + Math.floor(draw(seed, 2) * 4);
  const timeout = pick([300, 2000, 10_000], draw(seed, 3));
  const retries = is10 ? 0 : Math.floor(draw(seed, 4) * 4);
  const yubikey = new SoftYubikey();
  return {
    options: {
      clientId: CLIENT_ID,
      apiKey: API_KEY,
      servers: Array.from({ length: count }, (_, at) => `https://server${at}.test/verify`),
      protocol: is10 ? '1.0' : '2.0',
      timeout,
      retries,
      settleTime: pick([0, 100, 500], draw(seed, 5)),
    },
    verifications: Array.from({ length: 1 + Math.floor(draw(seed, 6) * 4) }, (_, at) => ({
      otp: yubikey.press(),
      startsAfter: Math.floor(draw(seed, 7, at) * 1.5 * timeout),
      abortsAfter: draw(seed, 8, at) < 0.05 ? Math.floor(draw(seed, 9, at) * timeout) : undefined,
      isUsed: draw(seed, 10, at) < 0.2,
    })),
  };
}

/**
 * A pool of servers with one memory of used OTPs, as a dispatcher. A server that works tells a repeated request from a
 * replay; only a pool of one may not know that, as yubiserver.
 */
class Pool {
  readonly requests: TrialRequest[] = [];
  readonly #used = new Map<string, string>();

  constructor(
    readonly seed: number,
    readonly trial: Trial,
    readonly clock: VirtualClock,
  ) {
    for (const { otp, isUsed } of trial.verifications) if (isUsed) this.#used.set(otp, 'of somebody else');
  }

  dispatch({ origin, path }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { seed, trial, clock } = this;
    const query = new URL(path, 'http://server').searchParams;
    const otp = query.get('otp') as string;
    const nonce = query.get('nonce') ?? 'none';
    const server = trial.options.servers.findIndex((url) => url.startsWith(String(origin)));
    const verification = trial.verifications.findIndex((one) => one.otp === otp);
    const number = this.requests.filter((one) => one.server === server && one.verification === verification);
    const at = [seed, server, verification, number.length] as const;
    // Some servers always work, and some never do.
    const reliability = pick([0, 0.3, 0.6, 1], draw(seed, 20, server));
    const behaviour =
      draw(...at, 21) < reliability
        ? 'honest'
        : pick([...SIGNED, ...UNPROCESSED, ...SPOILED], draw(...at, 22));
    const request: TrialRequest = {
      at: clock.now,
      server,
      verification,
      behaviour,
      query: String(query),
      accepted: false,
      answeredAt: undefined,
      status: undefined,
      aborted: false,
    };
    this.requests.push(request);
    const controller = {
      abort: () => {
        request.aborted = true;
      },
    } as unknown as Dispatcher.DispatchController;
    handler.onRequestStart?.(controller, {});
    const slowness = pick([0.02, 0.2, 1.2], draw(...at, 23)) * trial.options.timeout;
    const whenReceived = Math.floor(draw(...at, 24) * slowness);
    const whenAnswered = whenReceived + Math.floor(draw(...at, 25) * slowness);
    let text: string | undefined;
    clock.after(whenReceived, () => {
      text = this.#process(request, otp, nonce);
    });
    clock.after(whenAnswered, () => {
      if (request.aborted || behaviour === 'hang' || behaviour === 'processed-hang') return;
      request.answeredAt = clock.now;
      const fail = (code: string) =>
        handler.onResponseError?.(controller, Object.assign(new Error(`failed: ${code}`), { code }));
      const respond = (status: number, body: string) => {
        handler.onResponseStart?.(controller, status, {});
        if (request.aborted) return;
        handler.onResponseData?.(controller, Buffer.from(body));
        handler.onResponseEnd?.(controller, {});
      };
      if (behaviour === 'refused-connection') fail('ECONNREFUSED');
      else if (behaviour === 'tls') fail('CERT_HAS_EXPIRED');
      else if (behaviour === 'reset') fail('ECONNRESET');
      else respond(HTTP_STATUS[behaviour] ?? 200, text ?? 'sorry');
    });
    return true;
  }

  /** What the server sends after it has received the request, perhaps without having looked at the OTP. */
  #process(request: TrialRequest, otp: string, nonce: string): string | undefined {
    const { behaviour } = request;
    const is10 = this.trial.options.protocol === '1.0';
    const isOne = this.trial.options.servers.length === 1;
    const sign = (status: Status, echoed = nonce, apiKey = parseApiKey(API_KEY)) => {
      request.status = status;
      const echo = is10 || status === 'BAD_OTP' ? {} : { otp, nonce: echoed };
      return formatValidationResponse({ status, ...echo }, new Date(0), apiKey);
    };
    if (behaviour === 'bad-otp') return sign('BAD_OTP');
    if (behaviour === 'delayed-otp') return sign('DELAYED_OTP');
    if (behaviour === 'no-such-client') return sign('NO_SUCH_CLIENT', nonce, Buffer.alloc(0));
    if ((UNPROCESSED as readonly string[]).includes(behaviour)) return undefined;
    const isNotReached = behaviour !== 'honest' && draw(this.seed, this.requests.indexOf(request), 30) < 0.5;
    if (behaviour === 'backend-error' && isNotReached) return sign('BACKEND_ERROR');
    if (!isNotReached && !this.#used.has(otp)) {
      this.#used.set(otp, nonce);
      request.accepted = true;
    }
    const usedBy = this.#used.get(otp);
    const knowsNonces = !is10 && (!isOne || draw(this.seed, 31) < 0.5);
    const replayed = knowsNonces && usedBy === nonce ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP';
    const status = request.accepted ? 'OK' : replayed;
    if (behaviour === 'honest') return sign(status);
    if (behaviour === 'backend-error') return sign('BACKEND_ERROR');
    if (behaviour === 'not-enough') return sign(usedBy === nonce ? 'NOT_ENOUGH_ANSWERS' : 'BACKEND_ERROR');
    const forgery = FORGERIES[behaviour]?.(sign);
    request.status = undefined;
    return forgery ?? 'garbage';
  }
}

const HTTP_STATUS: Partial<Record<Behaviour, number>> = {
  'front-403': 403,
  'front-429': 429,
  redirect: 302,
  'http-500': 500,
};

type Sign = (status: Status, echoed?: string, apiKey?: Buffer) => string;

const FORGERIES: Partial<Record<Behaviour, (sign: Sign) => string>> = {
  forged: (sign) => sign('OK', undefined, Buffer.alloc(20)),
  unsigned: (sign) => sign('OK').replace(/^h=.*\r\n/, ''),
  // In protocol 1.0, answers contain no nonce, so only the signature counts.
  'other-nonce': (sign) => sign('OK', 'n'.repeat(32), Buffer.alloc(20)),
};

/** Runs the trial of this seed. It takes no time, since its clock is virtual. */
export async function runTrial(
  seed: number,
  create: (options: CloudVerifierOptions) => CloudVerifier,
  parse: typeof parseOtp = parseOtp,
): Promise<TrialReport> {
  const trial = planTrial(seed);
  const clock = new VirtualClock();
  const pool = new Pool(seed, trial, clock);
  const outcomes = await clock.run(async () => {
    const dispatcher = pool as unknown as Dispatcher;
    const verifier = create({ ...trial.options, dispatcher });
    return Promise.all(
      trial.verifications.map(async ({ otp, startsAfter, abortsAfter }) => {
        await new Promise<void>((resolve) => clock.after(startsAfter, resolve));
        const startedAt = clock.now;
        const controller = new AbortController();
        if (abortsAfter !== undefined) clock.after(abortsAfter, () => controller.abort());
        return verifier.verify(parse(otp), { signal: controller.signal }).then(
          (verdict) => ({
            startedAt,
            at: clock.now,
            result: verdict.ok ? 'OK' : verdict.reason,
            error: undefined,
          }),
          (error: unknown) => {
            // Anything else is a fault of the code.
            if (!(error instanceof YubikeyError)) throw error;
            return { startedAt, at: clock.now, result: error.code as string, error };
          },
        );
      }),
    );
  });
  return { trial, requests: pool.requests, outcomes };
}
