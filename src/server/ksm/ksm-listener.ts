import type { IncomingMessage } from 'node:http';
import { LocalKsm } from '../../ksm/local-ksm.js';
import { ReplayRefusingKsm } from '../../ksm/replay-refusing-ksm.js';
import { assertOptions, type OptionNames } from '../../options.js';
import { KSM_ERRORS } from '../../protocol/ksm-response.js';
import { KSM_PATHS } from '../../protocol/paths.js';
import type { CounterStore, KeyStore } from '../../stores/store.js';
import type { KsmEvent } from '../events.js';
import {
  type AddressOf,
  answerNotServed,
  connectionAddress,
  type Listener,
  type ListenerAnswer,
  parseTarget,
  type RequestTarget,
  sendAnswer,
  sendOnceReady,
} from '../http.js';
import { HttpFault, methodNotAllowed } from '../http-fault.js';
import { addressGate, type Gate, type ManagementAccess, managementGate } from './access.js';
import { decryptByRest, decryptByWsapi } from './decrypt.js';
import { answerHealth } from './health.js';
import {
  formatRestFault,
  formatWsapiFault,
  KsmFault,
  restErrorCode,
  toAnswerableFault,
} from './ksm-fault.js';
import type { Operation, OperationsByMethod } from './operations.js';
import { addKey, deleteKey, listKeys } from './rest-keys.js';

export interface KsmListenerOptions extends ManagementAccess {
  /** The AES keys. Use a sealed store if they are kept on disk. */
  keys: KeyStore;
  /** Used to refuse replays at the REST API and to report when a key was last used. */
  counters: CounterStore;
  /** Addresses and ranges (`10.0.0.0/8`) that may decrypt OTPs. Default: every client that can reach this listener. */
  allowDecryptFrom?: readonly string[] | undefined;
  /**
   * Also refuses replays at `wsapi`, with `ERR Replayed OTP`. A validation server in front of this KSM can then no
   * longer tell a replay from a bad OTP. Default false.
   */
  refuseWsapiReplays?: boolean | undefined;
  /**
   * Also decrypts OTPs of keys whose private ID is unknown. REST sets `private_id_checked` to false, `wsapi` answers as
   * usual. One random token in 65,536 then passes, and it may raise the counters of the key so far that OTPs of the
   * owner are refused as replayed. Default false: such OTPs are refused with PRIVATE_ID_UNKNOWN, which is
   * `ERR Private ID unknown` at `wsapi`.
   */
  allowUnpinnedKeys?: boolean | undefined;
  /** Answers `ERR Unknown yubikey` at `wsapi`, as yubikey-ksm does. Default false: `ERR Key not found`. */
  yubikeyKsmWording?: boolean | undefined;
  /** Returns the client address. Default: the remote address of the connection. */
  addressOf?: AddressOf | undefined;
  /** Called for every answer, for logs and metrics. It must not throw. */
  onRequest?: ((event: KsmEvent) => void) | undefined;
}

const OPTION_NAMES: OptionNames<KsmListenerOptions> = {
  keys: true,
  counters: true,
  managementToken: true,
  dangerouslyManageKeysWithoutToken: true,
  allowDecryptFrom: true,
  refuseWsapiReplays: true,
  allowUnpinnedKeys: true,
  yubikeyKsmWording: true,
  addressOf: true,
  onRequest: true,
};

/**
 * A KSM over HTTP: `GET /health`, `POST` and `GET /api/v1/keys`, `DELETE /api/v1/keys/:key_id` and
 * `POST /api/v1/decrypt` of the KSM REST API, and `GET /wsapi/decrypt` of the older KSM protocol.
 *
 * The private ID of a key that was added without one is pinned at `POST /api/v1/decrypt`, and only there, by two
 * different OTPs with the same private ID and rising counters. The first OTP is answered with 422 and the error code
 * PRIVATE_ID_UNKNOWN, the second one is decrypted. Until then, every random token that passes the CRC by chance, one in
 * 65,536, leaves a row of about 100 bytes in `counters`.
 *
 * @throws TypeError for a missing, unknown or unusable option.
 */
export function ksmListener(options: KsmListenerOptions): Listener {
  assertOptions('ksmListener', options, OPTION_NAMES);
  const { keys, counters, addressOf = connectionAddress } = options ?? {};
  if (typeof keys?.get !== 'function')
    throw new TypeError('ksmListener requires keys, such as a SealedKeyStore');
  if (typeof counters?.advance !== 'function') {
    throw new TypeError('ksmListener requires counters, such as the counters of a SqliteStore');
  }
  const { refuseWsapiReplays = false, yubikeyKsmWording = false, onRequest } = options;
  const allowUnpinnedKeys = options.allowUnpinnedKeys === true;
  const stores = { keys, counters };
  const pinning = new ReplayRefusingKsm(keys, counters, { pinKeys: true, allowUnpinnedKeys });
  const forWsapi = refuseWsapiReplays
    ? new ReplayRefusingKsm(keys, counters, { allowUnpinnedKeys })
    : new LocalKsm(keys);
  const manage = managementGate(options);
  const mayDecrypt = addressGate(options.allowDecryptFrom, addressOf);
  const unknownKey = yubikeyKsmWording ? KSM_ERRORS.unknownKey : KSM_ERRORS.keyNotFound;

  const restOperation = (
    operation: Operation['operation'],
    gate: Gate,
    run: Operation['run'],
  ): Operation => ({
    operation,
    gate,
    run,
    protocol: 'rest',
    refuse: formatRestFault,
  });
  const routes = new Map<string, OperationsByMethod>(
    Object.entries({
      '/api/v1/keys': {
        GET: restOperation('list', manage, listKeys(stores)),
        POST: restOperation('add', manage, addKey(stores)),
      },
      '/api/v1/keys/*': { DELETE: restOperation('delete', manage, deleteKey(stores)) },
      [KSM_PATHS.rest]: {
        POST: restOperation('decrypt', mayDecrypt, decryptByRest(pinning, allowUnpinnedKeys)),
      },
      [KSM_PATHS.wsapi]: {
        GET: {
          operation: 'decrypt',
          protocol: 'wsapi',
          gate: mayDecrypt,
          run: decryptByWsapi(forWsapi, allowUnpinnedKeys),
          refuse: (fault) => formatWsapiFault(fault, unknownKey),
        },
      },
    }),
  );

  async function runOperation(
    request: IncomingMessage,
    target: RequestTarget,
    operation: Operation,
  ): Promise<ListenerAnswer> {
    const startedAt = performance.now();
    const address = addressOf(request);
    let publicId: string | undefined;
    const report = (outcome: string, httpStatus: number, error?: unknown) =>
      onRequest?.({
        operation: operation.operation,
        protocol: operation.protocol,
        publicId,
        outcome,
        httpStatus,
        milliseconds: performance.now() - startedAt,
        address,
        error,
      });
    try {
      operation.gate(request);
      const answer = await operation.run(request, target, (id) => {
        publicId = id;
      });
      report('OK', answer.status);
      return answer;
    } catch (error) {
      const fault = toAnswerableFault(error);
      const answer = operation.refuse(fault);
      const isRefusal = error instanceof KsmFault || error instanceof HttpFault;
      report(restErrorCode(fault), answer.status, isRefusal ? undefined : error);
      return answer;
    }
  }

  return (request, response, next) => {
    const target = parseTarget(request);
    if (target.path === '/health') return void sendOnceReady(response, answerHealth(stores), next);
    const methods = routes.get(target.path.replace(/^(\/api\/v1\/keys\/)[^/]+$/, '$1*'));
    if (methods === undefined) return answerNotServed(response, next);
    const operation = methods[request.method ?? ''];
    if (operation === undefined)
      return sendAnswer(response, formatRestFault(methodNotAllowed(Object.keys(methods).join(', '))));
    void sendOnceReady(response, runOperation(request, target, operation), next);
  };
}
