import { YubikeyError } from '../../errors.js';
import type { HttpOutcome } from '../../http/exchange.js';
import { Transport } from '../../http/transport.js';
import { redactFault, TransportFault, toRequestFault } from '../../http/transport-fault.js';
import { assertOptional, assertSignal } from '../../options.js';
import { assertOtp, type Otp } from '../../otp/otp.js';
import { formatValidationRequest } from '../../protocol/validation-request.js';
import {
  assertNonce,
  newNonce,
  VERIFY_OPTIONS,
  type Verification,
  type Verifier,
  type VerifyOptions,
} from '../verifier.js';
import { type CloudAnswer, type CloudVerdict, type Question, readCloudAnswer } from './cloud-answer.js';
import { type CloudSettings, type CloudVerifierOptions, readCloudSettings } from './cloud-settings.js';
import { Race } from './race.js';
import { Standing } from './standing.js';

/** How many decided verifications may still have pending requests, which a hanging server would accumulate. */
const MAX_LOSERS = 32;
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
  /** All races with pending requests, including decided ones. */
  readonly #races = new Set<Race>();
  /** Decided races that still have pending requests. */
  readonly #losers = new Set<Race>();
  #closed = false;

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
  }

  /**
   * Verifies one OTP.
   *
   * @throws YubikeyError if no verdict was reached. Its `servers` tell what happened at each server.
   * - `ANSWER_LOST` and `NOT_ENOUGH_ANSWERS` mean that the OTP is used up, so the key must be touched again.
   * - `ABORTED` if the signal fires, `CLOSED` after `close()`.
   */
  async verify(otp: Otp, options: VerifyOptions = {}): Promise<Verification> {
    assertOtp(otp);
    assertOptional('verify()', options, VERIFY_OPTIONS);
    const { signal, nonce = newNonce() } = options;
    assertNonce(nonce);
    assertSignal(signal);
    if (this.#closed) throw closedError();
    if (signal?.aborted) throw abortedError(signal);
    if (this.#settings.refuseUploadedKeys && otp.publicId.startsWith(UPLOADED_PREFIX)) {
      return { ok: false, reason: 'BAD_OTP' };
    }

    const race = this.#startRace(otp, nonce);
    const abort = () => race.cancel(abortedError(signal as AbortSignal));
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return toVerification(await race.result, otp);
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#letGo(race);
    }
  }

  /** Ends pending verifications with `CLOSED` and closes every connection. A given dispatcher stays open. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const race of this.#races) race.cancel(closedError());
    await this.#transport.close();
  }

  /** Lets pending requests finish, so that connections stay open, without keeping the process alive or piling up. */
  #letGo(race: Race): void {
    if (!this.#races.has(race)) return;
    this.#losers.add(race);
    const [oldest] = this.#losers;
    if (this.#losers.size > MAX_LOSERS) oldest?.abandon();
  }

  #end(race: Race): void {
    this.#races.delete(race);
    this.#losers.delete(race);
    if (this.#races.size === 0) this.#transport.dropConnecting();
  }

  #startRace(otp: Otp, nonce: string): Race {
    const { clientId, apiKey, protocol, counters, syncLevel, syncTimeout } = this.#settings;
    const query = formatValidationRequest(
      {
        id: clientId,
        otp: otp.value,
        nonce: protocol === '2.0' ? nonce : undefined,
        timestamp: counters,
        sl: syncLevel,
        timeout: syncTimeout,
      },
      apiKey,
    );
    const question = { otp: otp.value, nonce, apiKey, protocol };
    const race = new Race(
      this.#settings,
      this.#standings,
      (server, answered) =>
        this.#transport.start({ url: `${server}?${query}`, accept: 'text/plain' }, (outcome) => {
          const answer = toCloudAnswer(outcome, { ...question, isTls: server.startsWith('https:') });
          answered('fault' in answer ? { fault: redactFault(otp.token, answer.fault) } : answer);
        }),
      () => this.#end(race),
    );
    this.#races.add(race);
    return race;
  }
}

function toCloudAnswer(outcome: HttpOutcome, question: Question): CloudAnswer {
  try {
    if ('answer' in outcome) return readCloudAnswer(outcome.answer.text, question);
    throw outcome.error;
  } catch (error) {
    return { fault: error instanceof TransportFault ? error : toRequestFault(error) };
  }
}

function toVerification({ status, counters }: CloudVerdict, { publicId }: Otp): Verification {
  if (status !== 'OK') return { ok: false, reason: status };
  return { ok: true, identity: counters ? { publicId, counters } : { publicId } };
}

function abortedError(signal: AbortSignal): YubikeyError {
  return new YubikeyError('ABORTED', 'The verification was aborted', { cause: signal.reason });
}

function closedError(): YubikeyError {
  return new YubikeyError('CLOSED', 'The CloudVerifier was closed');
}
