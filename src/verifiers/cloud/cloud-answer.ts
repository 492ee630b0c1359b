import { isSigned, isSignedWith } from '../../protocol/signature.js';
import { isFaultStatus, type Rejection, STATUSES } from '../../protocol/status.js';
import {
  MalformedResponse,
  parseResponseParameters,
  readValidationResponse,
  type ValidationResponse,
} from '../../protocol/validation-response.js';
import { type CloudFault, toStatusFault } from './cloud-fault.js';

/** The request of a verification, to compare an answer with. */
export interface Question {
  readonly otp: string;
  readonly nonce: string;
  readonly apiKey: Buffer | undefined;
  readonly protocol: '1.0' | '2.0';
  /** Whether TLS authenticates the server, which is required without an API key. */
  readonly isTls: boolean;
}

export type CloudVerdict = ValidationResponse & { readonly status: 'OK' | Rejection };
export type CloudAnswer = { readonly verdict: CloudVerdict } | { readonly fault: CloudFault };

/**
 * Reads a server's answer. A verdict counts only if the answer is authentic: first, it must be signed with the API key,
 * if there is one; second, in protocol 2.0, it must be about this OTP and nonce. Only then may its status decide.
 */
export function readCloudAnswer(text: string, question: Question): CloudAnswer {
  try {
    return authenticate(text, question);
  } catch (error) {
    if (!(error instanceof MalformedResponse)) throw error;
    return { fault: { ...NO_VERDICT, code: 'ANSWER_MALFORMED', message: error.message } };
  }
}

const NO_VERDICT = { authenticated: false, retry: false, maybeAccepted: true } as const;

function authenticate(text: string, { otp, nonce, apiKey, protocol, isTls }: Question): CloudAnswer {
  const parameters = parseResponseParameters(text);
  const response = readValidationResponse(parameters);
  const { status } = response;
  const isAuthentic = apiKey === undefined || isSignedWith(parameters, apiKey);
  if (isFaultStatus(status) && !isAuthentic) return { fault: toStatusFault(status, response.info, false) };
  if (!isAuthentic) {
    const problem = isSigned(parameters)
      ? 'not signed with the apiKey, which may be the wrong one'
      : 'not signed';
    return forged(`an answer that claims ${status} is ${problem}`);
  }
  if (protocol === '2.0') {
    const mustEcho = STATUSES[status].echo === 'always';
    if (!echoes(response.otp, otp, mustEcho))
      return forged(`an answer that claims ${status} does not repeat the OTP`);
    if (!echoes(response.nonce, nonce, mustEcho)) {
      return forged(`an answer that claims ${status} does not repeat the nonce`);
    }
  }
  if (!isFaultStatus(status)) return { verdict: { ...response, status } };
  return { fault: toStatusFault(status, response.info, apiKey !== undefined || isTls) };
}

function echoes(echo: string | undefined, sent: string, required: boolean): boolean {
  return echo === undefined ? !required : echo === sent;
}

function forged(message: string): CloudAnswer {
  return { fault: { ...NO_VERDICT, code: 'ANSWER_FORGED', message: `forged: ${message}` } };
}
