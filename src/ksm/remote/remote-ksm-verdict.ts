import { type ServerFault, YubikeyError } from '../../errors.js';
import type { Decryption } from '../ksm.js';
import type { RemoteKsmAnswer } from './remote-ksm-answer.js';
import type { KsmServer } from './remote-ksm-settings.js';

type Refusal = Extract<Decryption, { ok: false }>;

/** The result of asking one server. */
export interface KsmReply {
  readonly server: KsmServer;
  readonly answer: RemoteKsmAnswer;
  /** Whether our own request may have used up the OTP there, at a KSM that refuses replays. */
  readonly maybeUsedUp: boolean;
}

/** Whether the KSM decrypted the OTP, so that no other answer is needed. */
export function isDecrypted({ answer }: KsmReply): boolean {
  return 'decryption' in answer && answer.decryption.ok;
}

/** Whether no other KSM with the same keys could add anything. */
export function isFinal({ answer }: KsmReply): boolean {
  if ('fault' in answer) return answer.fault.code === 'PRIVATE_ID_UNCHECKED';
  return answer.decryption.ok || answer.decryption.reason !== 'UNKNOWN_KEY';
}

/**
 * Combines the replies into one decryption, once no more replies are to come. A key is unknown only if every server says
 * so, because a server that is down may have it.
 *
 * @throws YubikeyError if no reply tells about the OTP.
 */
export function decideDecryption(replies: readonly KsmReply[]): Decryption {
  const decryptions = replies.flatMap(({ answer }) => ('decryption' in answer ? [answer.decryption] : []));
  const decrypted = decryptions.find(({ ok }) => ok);
  if (decrypted) return decrypted;
  const reasons = new Set((decryptions as Refusal[]).map(({ reason }) => reason));
  if (reasons.has('REPLAYED_OTP')) {
    if (replies.some(({ maybeUsedUp }) => maybeUsedUp)) throw answerLost(replies);
    return { ok: false, reason: 'REPLAYED_OTP' };
  }
  if (reasons.has('CORRUPT_OTP')) return { ok: false, reason: 'CORRUPT_OTP' };
  if (decryptions.length === replies.length) return { ok: false, reason: 'UNKNOWN_KEY' };
  throw noVerdict(replies);
}

function answerLost(replies: readonly KsmReply[]): YubikeyError {
  const message =
    'A KSM may have decrypted the OTP, but its answer was lost and the OTP is used up: touch the key again';
  return new YubikeyError('ANSWER_LOST', message, { servers: listServerFaults(replies) });
}

function noVerdict(replies: readonly KsmReply[]): YubikeyError {
  const servers = listServerFaults(replies);
  const isUnchecked = servers.some(({ code }) => code === 'PRIVATE_ID_UNCHECKED');
  const details = servers.map(({ server, message }) => `${server}: ${message}`).join('; ');
  return new YubikeyError(
    isUnchecked ? 'PRIVATE_ID_UNCHECKED' : 'KSM_FAILED',
    `No KSM could decrypt or refuse the OTP: ${details}`,
    { servers },
  );
}

function listServerFaults(replies: readonly KsmReply[]): ServerFault[] {
  return replies.map(({ server: { url, endpoint }, answer }) => {
    const { code, message, authenticated } =
      'fault' in answer ? answer.fault : describeRefusal(answer.decryption as Refusal);
    return { server: url, code, message, authenticated: authenticated && endpoint.startsWith('https:') };
  });
}

/** Describes a KSM's refusal in an error, when it does not decide. */
function describeRefusal({ reason }: Refusal): Omit<ServerFault, 'server'> {
  const code = reason === 'REPLAYED_OTP' ? 'ANSWER_LOST' : 'KSM_FAILED';
  return { code, message: WORDS[reason], authenticated: true };
}

const WORDS = {
  UNKNOWN_KEY: 'it does not know the key',
  CORRUPT_OTP: 'it cannot decrypt the OTP',
  REPLAYED_OTP: 'it has seen the OTP before, perhaps in this very request',
} as const;
