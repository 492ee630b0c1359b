import type { IncomingMessage } from 'node:http';
import type { KsmEvent } from '../events.js';
import type { HttpAnswer, RequestTarget } from '../http.js';
import type { HttpFault } from '../http-fault.js';
import type { Gate } from './access.js';
import type { KsmFault } from './ksm-fault.js';

/** One operation of the KSM service. */
export interface Operation {
  readonly operation: KsmEvent['operation'];
  readonly protocol: KsmEvent['protocol'];
  readonly gate: Gate;
  /** Calls `reportPublicId` once the public ID is known. Rejects with a KsmFault, an HttpFault or a store's error. */
  run(
    request: IncomingMessage,
    target: RequestTarget,
    reportPublicId: (publicId: string) => void,
  ): Promise<HttpAnswer>;
  refuse(fault: KsmFault | HttpFault): HttpAnswer;
}

/** The operations of one path, by HTTP method. */
export type OperationsByMethod = Readonly<Record<string, Operation>>;
