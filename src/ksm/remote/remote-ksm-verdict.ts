import { type ServerFault, YubikeyError } from '../../errors.js';
import type { Decryption } from '../ksm.js';
import type { RemoteKsmAnswer } from './remote-ksm-answer.js';
import type { KsmServer } from './remote-ksm-settings.js';

type Refusal = Extract<Decryption, { ok: false }>;

/** What became of one server. */
export interface KsmReply {
  readonly server: KsmServer;
  readonly answer: RemoteKsmAnswer;
  /** Whether a request of ours may have used the OTP up there, at a KSM that refuses replays. */
  readonly maybeUsedUp: boolean;
}

/** Whether the KSM decrypted the OTP: no other can say better. */
export function isDecrypted({ answer }: KsmReply): boolean {
  return 'decryption' in answer && answer.decryption.ok;
}

/** Whether another KSM that holds the same keys has nothing to add. */
export function isFinal({ answer }: KsmReply): boolean {
  if ('fault' in answer) return answer.fault.code === 'PRIVATE_ID_UNCHECKED';
  return answer.decryption.ok || answer.decryption.reason !== 'UNKNOWN_KEY';
}

/**
 * What follows from what the servers said, once no more is to come. A key is unknown only where all know that: one
 * that is down may hold it.
 *
 * @throws YubikeyError where nothing follows.
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
    `No KSM could tell about the OTP: ${details}`,
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

/** How a KSM's refusal is told of where it is no verdict. */
function describeRefusal({ reason }: Refusal): Omit<ServerFault, 'server'> {
  const code = reason === 'REPLAYED_OTP' ? 'ANSWER_LOST' : 'KSM_FAILED';
  return { code, message: WORDS[reason], authenticated: true };
}

const WORDS = {
  UNKNOWN_KEY: 'it does not know the key',
  CORRUPT_OTP: 'it cannot decrypt the OTP',
  REPLAYED_OTP: 'it has seen the OTP before, perhaps in this very request',
} as const;
