export {
  type CounterFields,
  formatCounterFields,
  MAX_COUNTER_FIELDS,
  readCounterFields,
} from '../otp/counter-fields.js';
export { type Counters, isNewer } from '../otp/counters.js';
export { decodeModhex, encodeModhex, isModhex } from '../otp/modhex.js';
export { isPublicId, type Otp, parseOtp } from '../otp/otp.js';
export { formatApiKey, parseApiKey } from './api-key.js';
export { formatKsmResponse, KSM_ERRORS, type KsmResponse, parseKsmResponse } from './ksm-response.js';
export {
  formatKsmRestResponse,
  KSM_REST_ERRORS,
  type KsmRestError,
  type KsmRestResponse,
  parseKsmRestResponse,
} from './ksm-rest-response.js';
export { KSM_PATHS, type ProtocolVersion, VALIDATION_PATHS } from './paths.js';
export { isSigned, isSignedWith, type MessageParameters, signParameters } from './signature.js';
export type { Rejection, Status } from './status.js';
export {
  formatValidationRequest,
  isClientId,
  isNonce,
  MalformedRequest,
  parseRequestParameters,
  readValidationRequest,
  type SyncLevel,
  type ValidationRequest,
} from './validation-request.js';
export {
  formatValidationResponse,
  MalformedResponse,
  parseResponseParameters,
  readValidationResponse,
  type ValidationResponse,
} from './validation-response.js';
