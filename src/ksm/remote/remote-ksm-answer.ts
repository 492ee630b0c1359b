import type { HttpAnswer } from '../../http/exchange.js';
import type { HttpRequest } from '../../http/transport.js';
import { type Fault, type TransportFaultCode, toHttpStatusFault } from '../../http/transport-fault.js';
import type { Otp } from '../../otp/otp.js';
import { KSM_ERRORS, parseKsmResponse } from '../../protocol/ksm-response.js';
import { KEY_ID_LENGTH, type KsmRestError, parseKsmRestResponse } from '../../protocol/ksm-rest-response.js';
import { MalformedResponse } from '../../protocol/validation-response.js';
import type { Decryption } from '../ksm.js';
import type { KsmServer, RemoteKsmSettings } from './remote-ksm-settings.js';

type Protocol = RemoteKsmSettings['protocol'];

type KsmFault = Fault<TransportFaultCode | 'MISSING_PARAMETER' | 'BACKEND_ERROR' | 'PRIVATE_ID_UNCHECKED'>;

/** One KSM's answer for an OTP, or why it gave none. */
export type RemoteKsmAnswer = { readonly decryption: Decryption } | { readonly fault: KsmFault };

export function buildKsmRequest(protocol: Protocol, { endpoint }: KsmServer, { value }: Otp): HttpRequest {
  return protocol === 'wsapi'
    ? { url: endpoint + value, accept: 'text/plain' }
    : {
        url: endpoint,
        accept: 'application/json',
        json: JSON.stringify({ otp: value }),
        statuses: [200, 400, 404, 409, 422],
      };
}

/** Reads a KSM's answer strictly. An answer that violates the protocol is a fault, never a statement about the OTP. */
export function readKsmAnswer(protocol: Protocol, answer: HttpAnswer, otp: Otp): RemoteKsmAnswer {
  try {
    return protocol === 'wsapi' ? readWsapi(answer, otp) : readRest(answer, otp);
  } catch (error) {
    if (!(error instanceof MalformedResponse)) throw error;
    return fault('ANSWER_MALFORMED', error.message, { maybeAccepted: true });
  }
}

function readWsapi({ text }: HttpAnswer, otp: Otp): RemoteKsmAnswer {
  const answer = parseKsmResponse(text);
  if (answer.ok) return { decryption: { ...answer, privateIdChecked: true } };
  switch (answer.error) {
    case KSM_ERRORS.unknownKey:
    case KSM_ERRORS.keyNotFound:
      return UNKNOWN_KEY;
    case KSM_ERRORS.corruptOtp:
      return CORRUPT_OTP;
    case KSM_ERRORS.replayedOtp:
      return REPLAYED_OTP;
    case KSM_ERRORS.invalidOtp:
      return readInvalid(otp);
    case KSM_ERRORS.noOtp:
      return fault('MISSING_PARAMETER', 'the OTP was lost on the way: the URL may be wrong');
    case KSM_ERRORS.databaseError:
      return fault('BACKEND_ERROR', 'its database failed', { maybeAccepted: true });
    case KSM_ERRORS.privateIdUnknown:
      return fault('PRIVATE_ID_UNCHECKED', 'it stores the key without its private ID: pin the key there');
    default:
      return fault('ANSWER_MALFORMED', `an unknown error: ${answer.error}`, {
        maybeAccepted: true,
      });
  }
}

function readRest({ status, text }: HttpAnswer, otp: Otp): RemoteKsmAnswer {
  const answer = parseKsmRestResponse(status, text);
  if (answer === undefined) return { fault: toHttpStatusFault(status) };
  if (!answer.ok) return readRestError(answer.error, otp);
  const { publicId, ...decryption } = answer;
  if (publicId !== otp.publicId) throw new MalformedResponse('The answer is about another key');
  return { decryption };
}

function readRestError(error: KsmRestError, otp: Otp): RemoteKsmAnswer {
  switch (error) {
    case 'KEY_NOT_FOUND':
      return UNKNOWN_KEY;
    case 'DECRYPTION_FAILED':
      return CORRUPT_OTP;
    case 'REPLAY_DETECTED':
      return REPLAYED_OTP;
    case 'INVALID_OTP':
      return readInvalid(otp);
    case 'PRIVATE_ID_UNKNOWN':
      return fault(
        'PRIVATE_ID_UNCHECKED',
        'it does not know the private ID of the key yet: touch the key again',
      );
    case 'STORAGE_ERROR':
      return fault('BACKEND_ERROR', 'its database failed', { maybeAccepted: true });
  }
}

const UNKNOWN_KEY: RemoteKsmAnswer = { decryption: { ok: false, reason: 'UNKNOWN_KEY' } };
const CORRUPT_OTP: RemoteKsmAnswer = { decryption: { ok: false, reason: 'CORRUPT_OTP' } };
const REPLAYED_OTP: RemoteKsmAnswer = { decryption: { ok: false, reason: 'REPLAYED_OTP' } };

/** The OTP that was sent is well-formed, but some KSMs accept only one length of public IDs: they do not have its key. */
function readInvalid({ publicId }: Otp): RemoteKsmAnswer {
  if (publicId.length !== KEY_ID_LENGTH) return UNKNOWN_KEY;
  return fault('ANSWER_MALFORMED', 'it refuses a well-formed OTP as malformed');
}

/** A fault that the KSM itself reports. TLS decides whether the report is authentic. */
function fault(code: KsmFault['code'], message: string, { maybeAccepted = false } = {}): RemoteKsmAnswer {
  const authenticated = code !== 'ANSWER_MALFORMED';
  return { fault: { code, message, authenticated, retry: false, maybeAccepted } };
}
