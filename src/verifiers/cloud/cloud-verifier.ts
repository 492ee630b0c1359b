import type { AnswerMessage } from '../../diagnostics.js';
import { YubikeyError } from '../../errors.js';
import { timeAnswer, timeAsking } from '../../http/answer-timer.js';
import type { HttpOutcome } from '../../http/exchange.js';
import { InFlight, type Requests } from '../../http/in-flight.js';
import { TimedRequests } from '../../http/timed-requests.js';
import { type HttpRequest, Transport } from '../../http/transport.js';
import { redactFault, toRequestFault } from '../../http/transport-fault.js';
import { assertOptional, assertSignal } from '../../options.js';
import { assertOtp, type Otp } from '../../otp/otp.js';
import { formatValidationRequest } from '../../protocol/validation-request.js';
import { traceVerification } from '../trace.js';
import {
  assertNonce,
  newNonce,
  VERIFY_OPTIONS,
  type Verification,
  type Verifier,
  type VerifyOptions,
} from '../verifier.js';
import { type CloudAnswer, type CloudVerdict, readCloudAnswer } from './cloud-answer.js';
import { type CloudSettings, type CloudVerifierOptions, readCloudSettings } from './cloud-settings.js';
import { askInTurn } from './in-turn.js';
import { Race } from './race.js';
import { Standing } from './standing.js';

/** The prefix of the public IDs of keys that their owners uploaded to YubiCloud. */
const UPLOADED_PREFIX = 'vv';

/**
 * Verifies OTPs at validation servers, Yubico's or your own, with validation protocol 2.0 or 1.0.
 *
 * All servers are asked at once, except servers that have just failed or are slow, which are asked after the others. The
 * first authentic answer that is decisive wins. Connections stay open for the next verification but do not keep the
 * process alive. `close()` ends them.
 */
export class CloudVerifier implements Verifier {
  readonly #settings: CloudSettings;
  readonly #transport: Transport;
  readonly #standings: ReadonlyMap<string, Standing>;
  readonly #inFlight: InFlight;

  /** Opens no connection. @throws TypeError for a missing, unknown or unusable option. */
  constructor(options: CloudVerifierOptions) {
    this.#settings = readCloudSettings(options);
    const { servers, protocol, timeout, attemptTimeout, ca, dispatcher } = this.#settings;
    this.#standings = new Map(servers.map((server) => [server, new Standing()]));
    const isOnce = protocol === '1.0';
    this.#transport = new Transport({
      ca,
      dispatcher,
      connectTimeout: isOnce ? attemptTimeout : timeout,
      // A request of protocol 1.0 is never repeated, so it must not be lost on a connection that is closing.
      freshConnections: isOnce,
    });
    this.#inFlight = new InFlight('CloudVerifier', this.#transport);
  }

  /**
   * Verifies one OTP.
   *
   * @throws YubikeyError if no verdict was reached. Its `servers` tell what happened at each server.
   * - `ANSWER_LOST` and `NOT_ENOUGH_ANSWERS` mean that the OTP is used up, so the key must be touched again.
   * - `ABORTED` if the signal fires, `CLOSED` after `close()`.
   */
  verify(otp: Otp, options: VerifyOptions = {}): Promise<Verification> {
    return traceVerification('CloudVerifier', otp, () => this.#verify(otp, options));
  }

  async #verify(otp: Otp, options: VerifyOptions): Promise<Verification> {
    assertOtp(otp);
    assertOptional('verify()', options, VERIFY_OPTIONS);
    const { signal, nonce = newNonce() } = options;
    assertNonce(nonce);
    assertSignal(signal);
    this.#inFlight.assertOpen();
    if (signal?.aborted) throw abortedError(signal);
    if (this.#settings.refuseUploadedKeys && otp.publicId.startsWith(UPLOADED_PREFIX)) {
      return { ok: false, reason: 'BAD_OTP' };
    }

    const { requests, verdict } = this.#start(otp, nonce);
    const abort = () => requests.cancel(abortedError(signal as AbortSignal));
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return toVerification(await verdict, otp);
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#inFlight.decide(requests);
    }
  }

  /** Ends pending verifications with `CLOSED` and closes every connection. A given dispatcher stays open. */
  close(): Promise<void> {
    return this.#inFlight.close();
  }

  #start(otp: Otp, nonce: string): StartedVerification {
    return this.#settings.protocol === '1.0' ? this.#startInTurn(otp, nonce) : this.#startRace(otp, nonce);
  }

  #startRace(otp: Otp, nonce: string): StartedVerification {
    const query = this.#formatQuery(otp, nonce);
    const race = new Race(
      this.#settings,
      this.#standings,
      (server, answered) => {
        const publishAnswer = timeAnswer('validation', server);
        const exchange = this.#transport.start(toHttpRequest(server, query), (outcome) => {
          const answer = this.#readAnswer(server, outcome, otp, nonce);
          publishAnswer(readStatus(answer));
          answered(answer);
        });
        return {
          abort(code) {
            exchange.abort();
            publishAnswer(code);
          },
        };
      },
      () => this.#inFlight.end(race),
    );
    this.#inFlight.add(race);
    return { requests: race, verdict: race.start() };
  }

  #startInTurn(otp: Otp, nonce: string): StartedVerification {
    const { servers, timeout } = this.#settings;
    const query = this.#formatQuery(otp, undefined);
    const requests = new TimedRequests(this.#transport, timeout);
    this.#inFlight.add(requests);
    const verdict = askInTurn(servers, (server) =>
      timeAsking('validation', server, readStatus, async () =>
        this.#readAnswer(server, await requests.send(toHttpRequest(server, query)), otp, nonce),
      ),
    ).finally(() => {
      requests.clear();
      this.#inFlight.end(requests);
    });
    return { requests, verdict };
  }

  #formatQuery(otp: Otp, nonce: string | undefined): string {
    const { clientId, apiKey, counters, syncLevel, syncTimeout } = this.#settings;
    return formatValidationRequest(
      { id: clientId, otp, nonce, timestamp: counters, sl: syncLevel, timeout: syncTimeout },
      apiKey,
    );
  }

  /** Reads what one server answered, or why it did not. Every answer passes through here. */
  #readAnswer(server: string, outcome: HttpOutcome, otp: Otp, nonce: string): CloudAnswer {
    const { apiKey, protocol } = this.#settings;
    const isTls = server.startsWith('https:');
    const answer =
      'answer' in outcome
        ? readCloudAnswer(outcome.answer.text, { otp: otp.value, nonce, apiKey, protocol, isTls })
        : { fault: toRequestFault(outcome.error) };
    return 'fault' in answer ? { fault: redactFault([otp.token, nonce], answer.fault) } : answer;
  }
}

/** A verification whose requests are on their way. */
interface StartedVerification {
  readonly requests: Requests;
  readonly verdict: Promise<CloudVerdict>;
}

function toHttpRequest(server: string, query: string): HttpRequest {
  return { url: `${server}?${query}`, accept: 'text/plain' };
}

function readStatus(answer: CloudAnswer): AnswerMessage['status'] {
  return 'fault' in answer ? answer.fault.code : answer.verdict.status;
}

function toVerification({ status, counters }: CloudVerdict, { publicId }: Otp): Verification {
  if (status !== 'OK') return { ok: false, reason: status };
  return { ok: true, identity: counters ? { publicId, counters } : { publicId } };
}

function abortedError(signal: AbortSignal): YubikeyError {
  return new YubikeyError('ABORTED', 'The verification was aborted', { cause: signal.reason });
}
