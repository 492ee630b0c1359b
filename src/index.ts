export { type ServerFault, YubikeyError, type YubikeyErrorCode, type YubikeyErrorOptions } from './errors.js';
export { type AppendedOtpOptions, appendedOtp, type ExtractOtp, splitAppendedOtp } from './extract-otp.js';
export { parseAesKey } from './ksm/aes-key.js';
export type { Decryption, DecryptOptions, Ksm } from './ksm/ksm.js';
export { LocalKsm } from './ksm/local-ksm.js';
export { type Pinning, pinPrivateId } from './ksm/pin.js';
export type { RemoteKsmOptions } from './ksm/remote/settings.js';
export { RemoteKsm } from './ksm/remote-ksm.js';
export type { Done, Lookup } from './lookup.js';
export type { Counters } from './otp/counters.js';
export { type Otp, parseOtp } from './otp/otp.js';
export type { Rejection } from './protocol/status.js';
export type { SyncLevel } from './protocol/validation-request.js';
export {
  completeSecondFactor,
  type RequireSecondFactorOptions,
  requireSecondFactor,
  type SecondFactor,
} from './second-factor.js';
export { MemoryStore } from './stores/memory.js';
export { type FailureInfo, YubikeyStrategy, type YubikeyStrategyOptions } from './strategy.js';
export type { UserId } from './user-id.js';
export { type CloudVerifierOptions, YUBICLOUD, YUBICLOUD_POOL } from './verifiers/cloud/settings.js';
export { CloudVerifier } from './verifiers/cloud.js';
export { type DelayTolerance, KsmVerifier, type KsmVerifierOptions } from './verifiers/ksm-verifier.js';
export { type SequenceOptions, verifySequence } from './verifiers/sequence.js';
export type { Verification, Verifier, VerifyOptions, YubikeyIdentity } from './verifiers/verifier.js';
