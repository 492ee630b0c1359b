import { types } from 'node:util';
import type { Request } from 'express';

/** A second factor that a strategy verified in a request, before it is recorded in the session. */
interface VerifiedFactor {
  readonly userId: string;
  readonly publicId: string;
  readonly sessionIdBefore: string | undefined;
}

type VerifiedFactors = WeakMap<Request, VerifiedFactor>;

/** The version is that of {@link VerifiedFactor}. */
const NAME = Symbol.for('passport-yubikey-otp.verified-factors.v1');

/**
 * The factors of all copies of this package in the process, such as its ESM and its CommonJS build. They are not kept in
 * a property of the request, because code that copies a client's input into the request could set it.
 */
const verifiedFactors = shareVerifiedFactors();

/** The first copy locks the property. If it cannot be had, a copy keeps to itself: it refuses the factors of others. */
function shareVerifiedFactors(): VerifiedFactors {
  const own: VerifiedFactors = new WeakMap();
  const locked = { value: own, writable: false, enumerable: false, configurable: false };
  if (Reflect.defineProperty(globalThis, NAME, locked)) return own;
  const existing: unknown = Object.getOwnPropertyDescriptor(globalThis, NAME)?.value;
  return types.isWeakMap(existing) ? (existing as VerifiedFactors) : own;
}

/** Called by `YubikeyStrategy` to tell `completeSecondFactor` that a second factor was verified in this request. */
export function noteVerifiedFactor(
  req: Request & { sessionID?: string | undefined },
  factor: Omit<VerifiedFactor, 'sessionIdBefore'>,
): void {
  verifiedFactors.set(req, { ...factor, sessionIdBefore: req.sessionID });
}

/** Returns the second factor that was verified in this request, once. */
export function takeVerifiedFactor(req: Request): VerifiedFactor | undefined {
  const factor = verifiedFactors.get(req);
  verifiedFactors.delete(req);
  return factor;
}
