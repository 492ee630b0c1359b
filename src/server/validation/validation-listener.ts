import type { IncomingMessage } from 'node:http';
import { assertOptions, type OptionNames } from '../../options.js';
import { type ProtocolVersion, VALIDATION_PATHS } from '../../protocol/paths.js';
import { formatValidationResponse } from '../../protocol/validation-response.js';
import { readForm } from '../body.js';
import type { VerificationEvent } from '../events.js';
import {
  type AddressOf,
  answerNotServed,
  connectionAddress,
  type Listener,
  type ListenerAnswer,
  parseTarget,
  sendOnceReady,
} from '../http.js';
import { isRateLimited, methodNotAllowed, toHttpFault } from '../http-fault.js';
import { type Judgement, type JudgeOptions, judgeRequest } from './judge.js';
import { toProtocol } from './validation-answer.js';

export interface ValidationListenerOptions extends JudgeOptions {
  /** Returns the client address. Default: the remote address of the connection. */
  addressOf?: AddressOf | undefined;
  /** Called for every answer, for logs and metrics. It must not throw. */
  onVerification?: ((event: VerificationEvent) => void) | undefined;
}

const OPTION_NAMES: OptionNames<ValidationListenerOptions> = {
  verifier: true,
  clients: true,
  limitClient: true,
  addressOf: true,
  onVerification: true,
};

const PROTOCOLS = new Map<string, ProtocolVersion>(
  Object.entries(VALIDATION_PATHS).map(([version, path]) => [path, version as ProtocolVersion]),
);

/**
 * A validation server for existing clients: validation protocols 2.0, 1.1 and 1.0, by GET and POST, with the same
 * answers as yubikey-val.
 *
 * @throws TypeError for a missing, unknown or unusable option.
 */
export function validationListener(options: ValidationListenerOptions): Listener {
  assertOptions('validationListener', options, OPTION_NAMES);
  const { verifier, clients, addressOf = connectionAddress, onVerification } = options ?? {};
  if (typeof verifier?.verify !== 'function') {
    throw new TypeError('validationListener requires verifier, such as a KsmVerifier');
  }
  if (typeof clients?.get !== 'function') {
    throw new TypeError('validationListener requires clients, such as the clients of a SqliteStore');
  }

  async function answerRequest(
    request: IncomingMessage,
    query: string,
    protocol: ProtocolVersion,
  ): Promise<ListenerAnswer> {
    const startedAt = performance.now();
    const address = addressOf(request);
    const report = (status: VerificationEvent['status'], httpStatus: number, about: Partial<Judgement>) =>
      onVerification?.({
        protocol,
        clientId: about.clientId,
        publicId: about.publicId,
        status,
        httpStatus,
        milliseconds: performance.now() - startedAt,
        address,
        error: about.error,
      });
    let judgement: Judgement | undefined;
    try {
      if (request.method !== 'GET' && request.method !== 'POST') throw methodNotAllowed('GET, POST');
      const form = request.method === 'POST' ? await readForm(request) : '';
      judgement = await judgeRequest(options, form === '' ? query : `${query}&${form}`, protocol);
      if (isRateLimited(judgement.error)) throw judgement.error;
      const response = toProtocol(protocol, judgement.response);
      const body = formatValidationResponse(response, new Date(), judgement.apiKey);
      report(response.status, 200, judgement);
      return { status: 200, body };
    } catch (error) {
      const { status, message, headers } = toHttpFault(error);
      report('HTTP_ERROR', status, { ...judgement, error });
      return { status, body: `${message}\n`, headers };
    }
  }

  return (request, response, next) => {
    const { path, query } = parseTarget(request);
    const protocol = PROTOCOLS.get(path);
    if (protocol === undefined) return answerNotServed(response, next);
    void sendOnceReady(response, answerRequest(request, query, protocol), next);
  };
}
