import type { IncomingMessage } from 'node:http';
import type { KsmEvent } from '../events.js';
import type { ListenerAnswer, RequestTarget } from '../http.js';
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
  ): Promise<ListenerAnswer>;
  refuse(fault: KsmFault | HttpFault): ListenerAnswer;
}

/** The operations of one path, by HTTP method. */
export type OperationsByMethod = Readonly<Record<string, Operation>>;
