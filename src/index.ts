export type { AnswerMessage, BatchMessage, RefusalMessage, StoreFaultMessage } from './diagnostics.js';
export { type ServerFault, YubikeyError, type YubikeyErrorCode, type YubikeyErrorOptions } from './errors.js';
export { parseAesKey } from './ksm/aes-key.js';
export type { Decryption, DecryptOptions, Ksm } from './ksm/ksm.js';
export { LocalKsm } from './ksm/local-ksm.js';
export { type Pinning, pinPrivateId } from './ksm/pin.js';
export { parsePrivateId } from './ksm/private-id.js';
export { RemoteKsm } from './ksm/remote/remote-ksm.js';
export type { RemoteKsmOptions } from './ksm/remote/remote-ksm-settings.js';
export type { Counters } from './otp/counters.js';
export { type Otp, parseOtp } from './otp/otp.js';
export {
  type AppendedOtpOptions,
  appendedOtp,
  type ExtractOtp,
  splitAppendedOtp,
} from './passport/extract-otp.js';
export type { Done, Lookup } from './passport/lookup.js';
export {
  completeSecondFactor,
  type RequireSecondFactorOptions,
  requireSecondFactor,
  type SecondFactor,
} from './passport/second-factor.js';
export {
  type FailureInfo,
  YubikeyStrategy,
  YubikeyStrategy as Strategy,
  type YubikeyStrategyOptions,
} from './passport/strategy.js';
export type { UserId } from './passport/user-id.js';
export type { Rejection } from './protocol/status.js';
export type { SyncLevel } from './protocol/validation-request.js';
export { MemoryStore } from './stores/memory-store.js';
export { type CloudVerifierOptions, YUBICLOUD, YUBICLOUD_POOL } from './verifiers/cloud/cloud-settings.js';
export { CloudVerifier } from './verifiers/cloud/cloud-verifier.js';
export { type DelayTolerance, KsmVerifier, type KsmVerifierOptions } from './verifiers/ksm-verifier.js';
export { type SequenceOptions, verifySequence } from './verifiers/sequence.js';
export type { VerifyMessage } from './verifiers/trace.js';
export type { Verification, Verifier, VerifyOptions, YubikeyIdentity } from './verifiers/verifier.js';
