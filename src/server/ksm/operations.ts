import type { IncomingMessage } from 'node:http';
import type { KsmEvent } from '../events.js';
import type { Answer, Target } from '../http.js';
import type { HttpFault } from '../http-fault.js';
import type { Gate } from './access.js';
import type { KsmFault } from './ksm-fault.js';

/** What can be asked of a KSM. */
export interface Operation {
  readonly operation: KsmEvent['operation'];
  readonly protocol: KsmEvent['protocol'];
  readonly gate: Gate;
  /** `concerns` is told the public ID once it is read. Rejects with a KsmFault, an HttpFault or a store's error. */
  run(request: IncomingMessage, target: Target, concerns: (publicId: string) => void): Promise<Answer>;
  refuse(fault: KsmFault | HttpFault): Answer;
}

/** What a path serves, by HTTP method. */
export type Methods = Readonly<Record<string, Operation>>;
