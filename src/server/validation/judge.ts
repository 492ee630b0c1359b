import { YubikeyError } from '../../errors.js';
import { parseOtp } from '../../otp/otp.js';
import { isSigned, isSignedWith } from '../../protocol/signature.js';
import {
  isClientId,
  type ProtocolVersion,
  parseParameters,
  RequestFault,
  readValidationRequest,
  type ValidationRequest,
} from '../../protocol/validation-request.js';
import type { ValidationResponse } from '../../protocol/validation-response.js';
import type { ClientRecord, ClientStore } from '../../stores/store.js';
import type { Verifier } from '../../verifiers/verifier.js';
import { toErrorResponse, toResponse } from './validation-answer.js';

export interface JudgeOptions {
  /** Verifies the OTPs: a `KsmVerifier` over your own keys, or any other. */
  verifier: Verifier;
  /** Who may ask, and the API keys that sign. */
  clients: Pick<ClientStore, 'get'>;
  /**
   * Asked once for each correctly signed request; false answers it with HTTP 429. Nobody else can use up a client's
   * limit by naming its id. Default: no limit.
   */
  limitClient?: ((clientId: string) => boolean | Promise<boolean>) | undefined;
}

/** What a request is answered, and what signs that. */
export interface Judgement {
  readonly response: ValidationResponse;
  /** Of the client the request names; undefined where that is not known. */
  readonly apiKey: Uint8Array | undefined;
  readonly clientId: string | undefined;
  readonly publicId: string | undefined;
  /** What kept the service from a verdict. */
  readonly error?: unknown;
}

/**
 * Judges a request in the reference server's order of checks: parameters, client, signature, OTP. Where that one
 * signs with the empty key although the request names a known client, the client's key signs here.
 */
export async function judgeRequest(
  { verifier, clients, limitClient }: JudgeOptions,
  query: string,
  protocol: ProtocolVersion,
): Promise<Judgement> {
  let client: ClientRecord | undefined;
  let clientId: string | undefined;
  let publicId: string | undefined;
  let request: ValidationRequest | undefined;
  const concludeWith = (response: ValidationResponse, error?: unknown): Judgement => ({
    response,
    apiKey: client?.apiKey,
    clientId,
    publicId,
    error,
  });
  try {
    const parameters = parseParameters(query);
    const id = parameters.get('id');
    if (isClientId(id)) clientId = id;
    request = readValidationRequest(parameters, protocol);
    const otp = parseOtp(request.otp);
    publicId = otp.publicId;
    client = await findClient(clients, request.id);
    if (!client?.active) return concludeWith({ status: 'NO_SUCH_CLIENT' });
    if (isSigned(parameters)) {
      if (!isSignedWith(parameters, client.apiKey)) return concludeWith({ status: 'BAD_SIGNATURE' });
      if (limitClient && !(await limitClient(client.id))) throw tooManyRequests(client.id);
    }
    const { nonce } = request;
    return concludeWith(
      toResponse(request, await verifier.verify(otp, nonce === undefined ? {} : { nonce })),
    );
  } catch (error) {
    if (!(error instanceof RequestFault)) return concludeWith(toErrorResponse(error, request), error);
    // Clients that cannot be read take nothing from what is wrong with the request but its signature.
    if (clientId !== undefined) client = await findClient(clients, clientId).catch(() => undefined);
    return concludeWith({ status: error.status, info: error.parameter });
  }
}

/** @throws YubikeyError `KEY_UNUSABLE` for a client stored with an empty API key, which would prove nothing. */
async function findClient(clients: JudgeOptions['clients'], id: string): Promise<ClientRecord | undefined> {
  const client = await clients.get(id);
  if (client?.apiKey.length === 0) {
    throw new YubikeyError('KEY_UNUSABLE', `The API key stored for client ${id} is empty`);
  }
  return client;
}

function tooManyRequests(clientId: string): YubikeyError {
  return new YubikeyError('RATE_LIMITED', `Client ${clientId} sends too many requests`);
}
