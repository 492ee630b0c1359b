import type { AnswerMessage } from '../../diagnostics.js';
import { YubikeyError } from '../../errors.js';
import { timeAsking } from '../../http/answer-timer.js';
import { InFlight } from '../../http/in-flight.js';
import { TimedRequests } from '../../http/timed-requests.js';
import { Transport } from '../../http/transport.js';
import { redactFault, toRequestFault } from '../../http/transport-fault.js';
import { assertOptional, assertSignal } from '../../options.js';
import { assertOtp, type Otp } from '../../otp/otp.js';
import { DECRYPT_OPTIONS, type Decryption, type DecryptOptions, type Ksm } from '../ksm.js';
import { untilAborted } from '../until-aborted.js';
import { buildKsmRequest, type RemoteKsmAnswer, readKsmAnswer } from './remote-ksm-answer.js';
import {
  type KsmServer,
  type RemoteKsmOptions,
  type RemoteKsmSettings,
  readRemoteKsmSettings,
} from './remote-ksm-settings.js';
import { decideDecryption, isDecrypted, isFinal, type KsmReply } from './remote-ksm-verdict.js';

/**
 * Decrypts OTPs at one or many KSMs over HTTP, which hold the keys: yubikey-ksm and servers with the same protocol.
 *
 * Connections stay open for the next OTP but do not keep the process alive. `close()` ends them.
 */
export class RemoteKsm implements Ksm {
  readonly #settings: RemoteKsmSettings;
  readonly #transport: Transport;
  readonly #inFlight: InFlight;

  /** Opens no connection. @throws TypeError for a missing, unknown or unusable option. */
  constructor(options: RemoteKsmOptions) {
    this.#settings = readRemoteKsmSettings(options);
    const { protocol, servers, timeout, ca, dispatcher } = this.#settings;
    const isOnce = protocol === 'rest';
    this.#transport = new Transport({
      ca,
      dispatcher,
      // Half of a server's share, to distinguish an unreachable server from one whose answer is late.
      connectTimeout: isOnce ? Math.ceil(timeout / servers.length / 2) : timeout,
      // A KSM that refuses replays uses up the OTP, which must not be lost on a connection that is closing.
      freshConnections: isOnce,
    });
    this.#inFlight = new InFlight('RemoteKsm', this.#transport);
  }

  /**
   * Decrypts one OTP.
   *
   * @throws YubikeyError if no KSM could decrypt or refuse the OTP. Its `servers` tell what happened at each.
   * - `KSM_FAILED` in general.
   * - `ANSWER_LOST` if a KSM that refuses replays may have used up the OTP, so the key must be touched again.
   * - `PRIVATE_ID_UNCHECKED` if a KSM stores the key without its private ID. With `rest`, another touch may pin it.
   * - `CLOSED` after `close()`.
   * - If the signal fires, `ANSWER_LOST` with `rest`, and `ABORTED` with `wsapi`, where no KSM uses up an OTP.
   */
  async decrypt(otp: Otp, options: DecryptOptions = {}): Promise<Decryption> {
    assertOtp(otp);
    assertOptional('decrypt()', options, DECRYPT_OPTIONS);
    assertSignal(options.signal);
    const { protocol } = this.#settings;
    const replies = protocol === 'rest' ? this.#askInTurn(otp) : this.#askAll(otp);
    return decideDecryption(
      await untilAborted(replies, options.signal, protocol === 'rest' ? answerLost : aborted),
    );
  }

  /** Ends pending decryptions with `CLOSED` and closes every connection. A given dispatcher stays open. */
  close(): Promise<void> {
    return this.#inFlight.close();
  }

  /** Asks one KSM after another, so that no KSM that refuses replays gets an OTP that another one decrypts. */
  async #askInTurn(otp: Otp): Promise<KsmReply[]> {
    const { servers, timeout } = this.#settings;
    const end = performance.now() + timeout;
    const replies: KsmReply[] = [];
    for (const [index, server] of servers.entries()) {
      const share = (end - performance.now()) / (servers.length - index);
      const requests = this.#startRequests(Math.ceil(share));
      const reply = await this.#ask(server, otp, requests).finally(() => this.#end(requests));
      replies.push(reply);
      if (isFinal(reply)) break;
    }
    return replies;
  }

  /** Asks all KSMs at once, and resolves with the first reply that decrypts the OTP, otherwise with all replies. */
  async #askAll(otp: Otp): Promise<KsmReply[]> {
    const { servers, timeout } = this.#settings;
    const requests = this.#startRequests(timeout);
    const asked = servers.map((server) => this.#askAgainIfLost(server, otp, requests));
    const all = Promise.all(asked).finally(() => this.#end(requests));
    const decrypted = asked.map(async (reply) => (isDecrypted(await reply) ? [await reply] : all));
    try {
      return await Promise.race([all, ...decrypted]);
    } finally {
      requests.unref();
      this.#inFlight.decide(requests);
    }
  }

  /** Asks again if the server closed the connection as it was reused, which is harmless at a stateless KSM. */
  async #askAgainIfLost(server: KsmServer, otp: Otp, requests: TimedRequests): Promise<KsmReply> {
    const first = await this.#ask(server, otp, requests);
    const isLost = 'fault' in first.answer && first.answer.fault.code === 'UNREACHABLE' && first.maybeUsedUp;
    return isLost ? { ...(await this.#ask(server, otp, requests)), maybeUsedUp: true } : first;
  }

  async #ask(server: KsmServer, otp: Otp, requests: TimedRequests): Promise<KsmReply> {
    const { protocol } = this.#settings;
    const answer = await timeAsking('ksm', server.url, readStatus, async () => {
      const outcome = await requests.send(buildKsmRequest(protocol, server, otp));
      return 'answer' in outcome
        ? readKsmAnswer(protocol, outcome.answer, otp)
        : { fault: toRequestFault(outcome.error) };
    });
    return toKsmReply(server, otp, answer);
  }

  #startRequests(milliseconds: number): TimedRequests {
    this.#inFlight.assertOpen();
    const requests = new TimedRequests(this.#transport, milliseconds);
    this.#inFlight.add(requests);
    return requests;
  }

  #end(requests: TimedRequests): void {
    requests.clear();
    this.#inFlight.end(requests);
  }
}

function readStatus(answer: RemoteKsmAnswer): AnswerMessage['status'] {
  if ('fault' in answer) return answer.fault.code;
  return answer.decryption.ok ? 'OK' : answer.decryption.reason;
}

function toKsmReply(server: KsmServer, { token }: Otp, answer: KsmReply['answer']): KsmReply {
  if ('decryption' in answer) return { server, answer, maybeUsedUp: false };
  const fault = redactFault([token], answer.fault);
  return { server, answer: { fault }, maybeUsedUp: fault.maybeAccepted };
}

function aborted(cause: unknown): YubikeyError {
  return new YubikeyError('ABORTED', 'The decryption was aborted', { cause });
}

function answerLost(cause: unknown): YubikeyError {
  return new YubikeyError(
    'ANSWER_LOST',
    'The decryption was aborted while a KSM had the OTP, so it may be used up: touch the key again',
    { cause },
  );
}
