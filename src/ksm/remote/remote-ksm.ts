import { YubikeyError } from '../../errors.js';
import { Transport } from '../../http/transport.js';
import { redactFault, TransportFault, toRequestFault } from '../../http/transport-fault.js';
import { assertOptional, assertSignal } from '../../options.js';
import { assertOtp, type Otp } from '../../otp/otp.js';
import { DECRYPT_OPTIONS, type Decryption, type DecryptOptions, type Ksm } from '../ksm.js';
import { untilAborted } from '../until-aborted.js';
import { Deadline } from './deadline.js';
import { buildKsmRequest, readKsmAnswer } from './remote-ksm-answer.js';
import {
  type KsmServer,
  type RemoteKsmOptions,
  type RemoteKsmSettings,
  readRemoteKsmSettings,
} from './remote-ksm-settings.js';
import { decideDecryption, isDecrypted, isFinal, type KsmReply } from './remote-ksm-verdict.js';

/** How many decided decryptions may still have pending requests, which a hanging server would accumulate. */
const MAX_LOSERS = 32;

/**
 * Decrypts OTPs at one or many KSMs over HTTP, which hold the keys: yubikey-ksm and servers with the same protocol.
 *
 * Connections stay open for the next OTP but do not keep the process alive. `close()` ends them.
 */
export class RemoteKsm implements Ksm {
  readonly #settings: RemoteKsmSettings;
  readonly #transport: Transport;
  /** The deadlines of all pending requests, including those of decided decryptions. */
  readonly #deadlines = new Set<Deadline>();
  /** The deadlines of decided decryptions that still have pending requests. */
  readonly #losers = new Set<Deadline>();
  #closed = false;

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
  async close(): Promise<void> {
    this.#closed = true;
    for (const deadline of this.#deadlines) deadline.end(closedError());
    await this.#transport.close();
  }

  /** Asks one KSM after another, so that no KSM that refuses replays gets an OTP that another one decrypts. */
  async #askInTurn(otp: Otp): Promise<KsmReply[]> {
    const { servers, timeout } = this.#settings;
    const end = performance.now() + timeout;
    const replies: KsmReply[] = [];
    for (const [index, server] of servers.entries()) {
      const share = (end - performance.now()) / (servers.length - index);
      const deadline = this.#startDeadline(Math.ceil(share));
      const reply = await this.#ask(server, otp, deadline).finally(() => this.#clear(deadline));
      replies.push(reply);
      if (isFinal(reply)) break;
    }
    return replies;
  }

  /** Asks all KSMs at once, and resolves with the first reply that decrypts the OTP, otherwise with all replies. */
  async #askAll(otp: Otp): Promise<KsmReply[]> {
    const { servers, timeout } = this.#settings;
    const deadline = this.#startDeadline(timeout);
    const asked = servers.map((server) => this.#askAgainIfLost(server, otp, deadline));
    const all = Promise.all(asked).finally(() => this.#clear(deadline));
    const decrypted = asked.map(async (reply) => (isDecrypted(await reply) ? [await reply] : all));
    try {
      return await Promise.race([all, ...decrypted]);
    } finally {
      this.#letGo(deadline);
    }
  }

  /** Asks again if the server closed the connection as it was reused, which is harmless at a stateless KSM. */
  async #askAgainIfLost(server: KsmServer, otp: Otp, deadline: Deadline): Promise<KsmReply> {
    const first = await this.#ask(server, otp, deadline);
    const isLost = 'fault' in first.answer && first.answer.fault.code === 'UNREACHABLE' && first.maybeUsedUp;
    return isLost ? { ...(await this.#ask(server, otp, deadline)), maybeUsedUp: true } : first;
  }

  async #ask(server: KsmServer, otp: Otp, { signal }: Deadline): Promise<KsmReply> {
    const { protocol } = this.#settings;
    try {
      const response = await this.#transport.send(buildKsmRequest(protocol, server, otp), signal);
      return toKsmReply(server, otp, readKsmAnswer(protocol, response, otp));
    } catch (error) {
      if (this.#closed) throw closedError();
      return toKsmReply(server, otp, {
        fault: error instanceof TransportFault ? error : toRequestFault(error),
      });
    }
  }

  #startDeadline(milliseconds: number): Deadline {
    if (this.#closed) throw closedError();
    const deadline = new Deadline(milliseconds);
    this.#deadlines.add(deadline);
    return deadline;
  }

  #clear(deadline: Deadline): void {
    deadline.clear();
    this.#deadlines.delete(deadline);
    this.#losers.delete(deadline);
    if (this.#deadlines.size === 0) this.#transport.dropConnecting();
  }

  /** Lets pending requests finish, so that connections stay open, without keeping the process alive or piling up. */
  #letGo(deadline: Deadline): void {
    if (!this.#deadlines.has(deadline)) return;
    deadline.unref();
    this.#losers.add(deadline);
    const [oldest] = this.#losers;
    if (this.#losers.size > MAX_LOSERS) oldest?.end();
  }
}

function toKsmReply(server: KsmServer, { token }: Otp, answer: KsmReply['answer']): KsmReply {
  if ('decryption' in answer) return { server, answer, maybeUsedUp: false };
  const fault = redactFault(token, answer.fault);
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

function closedError(): YubikeyError {
  return new YubikeyError('CLOSED', 'The RemoteKsm was closed');
}
