export { isLoopback } from '../http/loopback.js';
export type { KsmEvent, VerificationEvent } from './events.js';
export { type AddressOf, type Listener, type ListenerAnswer, sendAnswer } from './http.js';
export { type KsmListenerOptions, ksmListener } from './ksm/ksm-listener.js';
export { isLocalRequest } from './local-request.js';
export { isManagementToken } from './management-token.js';
export { type ValidationListenerOptions, validationListener } from './validation/validation-listener.js';
