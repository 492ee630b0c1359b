import { type Channel, channel } from 'node:diagnostics_channel';
import type { YubikeyErrorCode } from './errors.js';
import type { Rejection } from './protocol/status.js';

/** On `passport-yubikey-otp:answer`: one answer of a validation server or a KSM, or why there is none. */
export interface AnswerMessage {
  /** Whether the server validates OTPs, or is a KSM. */
  readonly service: 'validation' | 'ksm';
  /** The URL as configured. */
  readonly server: string;
  /** What the server says of the OTP, if its answer counts; otherwise the code of the fault. */
  readonly status: 'OK' | Rejection | 'UNKNOWN_KEY' | 'CORRUPT_OTP' | YubikeyErrorCode;
  /** Since the request. */
  readonly milliseconds: number;
}

/** On `passport-yubikey-otp:refusal`: a refused OTP; on `passport-yubikey-otp:replay`: one that was used before. */
export interface RefusalMessage {
  /** What refused it: `CloudVerifier`, `KsmVerifier` or `verifySequence`. */
  readonly verifier: string;
  /** Undefined only if `verifySequence` was given other objects than OTPs. */
  readonly publicId: string | undefined;
  /** Why it was refused. */
  readonly reason: Rejection;
}

/** On `passport-yubikey-otp:batch`: one write of the counters of verifications that arrived together. */
export interface BatchMessage {
  /** The class of the store. */
  readonly store: string;
  /** How many verifications it holds; 0 if the store failed before it took any. */
  readonly size: number;
  /** Until the database answered, including the wait for a connection. */
  readonly milliseconds: number;
  /**
   * `WRITTEN`; `UNANSWERED`: it may have been written; `REFUSED`: nothing was written. Nothing was written either with
   * `ITEM_REFUSED`, because of one of its verifications, and with `LOCKED`, because another transaction locks a row. The
   * store then tries again in further batches.
   */
  readonly outcome: 'WRITTEN' | 'UNANSWERED' | 'REFUSED' | 'ITEM_REFUSED' | 'LOCKED';
}

/** On `passport-yubikey-otp:store-fault`: a call of a store that rejected. */
export interface StoreFaultMessage {
  /** The class of the store. */
  readonly store: string;
  /** The code of the error. */
  readonly code: YubikeyErrorCode;
  /** Since the call. */
  readonly milliseconds: number;
}

interface Messages {
  answer: AnswerMessage;
  refusal: RefusalMessage;
  replay: RefusalMessage;
  batch: BatchMessage;
  'store-fault': StoreFaultMessage;
}

const CHANNELS: Readonly<Record<keyof Messages, Channel>> = {
  answer: channel('passport-yubikey-otp:answer'),
  refusal: channel('passport-yubikey-otp:refusal'),
  replay: channel('passport-yubikey-otp:replay'),
  batch: channel('passport-yubikey-otp:batch'),
  'store-fault': channel('passport-yubikey-otp:store-fault'),
};

/** Whether anybody subscribes: for work that is needed only then, besides building the message. */
export function isObserved(name: keyof Messages): boolean {
  return CHANNELS[name].hasSubscribers;
}

/** Publishes a message, which is built only if somebody subscribes. It must not contain a secret or an OTP. */
export function publish<Name extends keyof Messages>(name: Name, build: () => Messages[Name]): void {
  if (isObserved(name)) CHANNELS[name].publish(build());
}
