import type { IncomingMessage } from 'node:http';
import type { KsmEvent } from '../events.js';
import type { HttpAnswer, RequestTarget } from '../http.js';
import type { HttpFault } from '../http-fault.js';
import type { Gate } from './access.js';
import type { KsmFault } from './ksm-fault.js';

/** What can be asked of a KSM. */
export interface Operation {
  readonly operation: KsmEvent['operation'];
  readonly protocol: KsmEvent['protocol'];
  readonly gate: Gate;
  /** `reportPublicId` is told the public ID once it is read. Rejects with a KsmFault, an HttpFault or a store's error. */
  run(
    request: IncomingMessage,
    target: RequestTarget,
    reportPublicId: (publicId: string) => void,
  ): Promise<HttpAnswer>;
  refuse(fault: KsmFault | HttpFault): HttpAnswer;
}

/** What a path serves, by HTTP method. */
export type OperationsByMethod = Readonly<Record<string, Operation>>;
