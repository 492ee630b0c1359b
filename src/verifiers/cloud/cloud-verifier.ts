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

/** How many verifications may have requests on their way after their verdict: a server that hangs holds them. */
const MAX_LOSERS = 32;
/** How the public IDs of keys start that were uploaded to YubiCloud by their owners. */
const UPLOADED = 'vv';

/**
 * Verifies OTPs at validation servers: Yubico's cloud, or your own (validation protocol 2.0 or 1.0).
 *
 * All servers are asked at once, but one that has just failed or keeps others waiting only after the rest; the first
 * authentic answer decides, as far as it may. Connections stay open for the next verification but do not keep the
 * process alive; `close()` ends them.
 */
export class CloudVerifier implements Verifier {
  readonly #settings: CloudSettings;
  readonly #transport: Transport;
  readonly #standings: ReadonlyMap<string, Standing>;
  /** All that run, losers included. */
  readonly #races = new Set<Race>();
  /** Those whose verdict is there already. */
  readonly #losers = new Set<Race>();
  #closed = false;

  /** Sends nothing yet. @throws TypeError for a missing, unknown or unusable option. */
  constructor(options: CloudVerifierOptions) {
    this.#settings = readCloudSettings(options);
    const { servers, protocol, timeout, attemptTimeout, ca, dispatcher } = this.#settings;
    this.#standings = new Map(servers.map((server) => [server, new Standing()]));
    const isOnce = protocol === '1.0';
    this.#transport = new Transport({
      ca,
      dispatcher,
      connectTimeout: isOnce ? attemptTimeout : timeout,
      // A request of protocol 1.0 is never repeated, so it must not be lost on a connection that is just closing.
      freshConnections: isOnce,
    });
  }

  /**
   * Verifies one OTP.
   *
   * @throws YubikeyError when no verdict was reached; its `servers` tell what became of each server. `ANSWER_LOST`
   * and `NOT_ENOUGH_ANSWERS` mean that the OTP is used up and the key must be touched again. `ABORTED` for the
   * signal, `CLOSED` after `close()`.
   */
  async verify(otp: Otp, options: VerifyOptions = {}): Promise<Verification> {
    assertOtp(otp);
    assertOptional('verify()', options, VERIFY_OPTIONS);
    const { signal, nonce = newNonce() } = options;
    assertNonce(nonce);
    assertSignal(signal);
    if (this.#closed) throw closedError();
    if (signal?.aborted) throw abortedError(signal);
    if (this.#settings.refuseUploadedKeys && otp.publicId.startsWith(UPLOADED)) {
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

  /** Ends open verifications with `CLOSED` and closes every connection; a given dispatcher stays open. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const race of this.#races) race.cancel(closedError());
    await this.#transport.close();
  }

  /** Losers may finish, so that connections stay warm, but neither keep the process alive nor pile up. */
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
