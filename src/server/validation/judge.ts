import { YubikeyError } from '../../errors.js';
import type { ProtocolVersion } from '../../protocol/paths.js';
import { isSigned, isSignedWith } from '../../protocol/signature.js';
import {
  isClientId,
  MalformedRequest,
  parseRequestParameters,
  readValidationRequest,
  type ValidationRequest,
} from '../../protocol/validation-request.js';
import type { ValidationResponse } from '../../protocol/validation-response.js';
import type { ClientRecord, ClientStore } from '../../stores/store.js';
import type { Verifier } from '../../verifiers/verifier.js';
import { toErrorResponse, toResponse } from './validation-answer.js';

export interface JudgeOptions {
  /** Verifies the OTPs: a `KsmVerifier` with your own keys, or any other verifier. */
  verifier: Verifier;
  /** The clients that may send requests, and their API keys. */
  clients: Pick<ClientStore, 'get'>;
  /**
   * Called once for each correctly signed request; if it returns false, the answer is HTTP 429. Unsigned requests do
   * not count, so nobody else can use up the limit of a client by sending its id. Default: no limit.
   */
  limitClient?: ((clientId: string) => boolean | Promise<boolean>) | undefined;
}

/** The response to a request, and the API key to sign it with. */
export interface Judgement {
  readonly response: ValidationResponse;
  /** The API key of the client; undefined if the client is unknown. */
  readonly apiKey: Uint8Array | undefined;
  readonly clientId: string | undefined;
  readonly publicId: string | undefined;
  /** The error that prevented a verdict. */
  readonly error: unknown;
}

/**
 * Judges a request, with the checks in the order of the reference server: parameters, client, signature, OTP. Unlike
 * the reference server, which sometimes signs with the empty key, it always signs with the key of a known client.
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
    const parameters = parseRequestParameters(query);
    const id = parameters.get('id');
    if (isClientId(id)) clientId = id;
    request = readValidationRequest(parameters, protocol);
    const { otp, nonce } = request;
    publicId = otp.publicId;
    client = await findClient(clients, request.id);
    if (!client?.active) return concludeWith({ status: 'NO_SUCH_CLIENT' });
    if (isSigned(parameters)) {
      if (!isSignedWith(parameters, client.apiKey)) return concludeWith({ status: 'BAD_SIGNATURE' });
      if (limitClient && !(await limitClient(client.id))) throw tooManyRequests(client.id);
    }
    return concludeWith(
      toResponse(request, await verifier.verify(otp, nonce === undefined ? {} : { nonce })),
    );
  } catch (error) {
    if (!(error instanceof MalformedRequest)) return concludeWith(toErrorResponse(error, request), error);
    // If the client cannot be read, the fault is still reported, signed with the empty key.
    if (clientId !== undefined) client = await findClient(clients, clientId).catch(() => undefined);
    return concludeWith({ status: error.status, info: error.parameter });
  }
}

/** @throws YubikeyError `KEY_UNUSABLE` for a client stored with an empty API key: its signature would prove nothing. */
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
