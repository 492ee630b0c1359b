export type { KsmEvent, VerificationEvent } from './events.js';
export type { AddressOf, Listener } from './http.js';
export { type KsmListenerOptions, ksmListener } from './ksm/ksm-listener.js';
export { type ValidationListenerOptions, validationListener } from './validation/validation-listener.js';
