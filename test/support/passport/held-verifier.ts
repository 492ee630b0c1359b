import type { Otp, Verification, Verifier } from '../../../src/index.js';
import type { SoftYubikey } from '../../../src/testing/index.js';

/** Holds every verification until a test gives its verdict. */
export class HeldVerifier implements Verifier {
  readonly #held = new Map<string, (verdict: Promise<Verification>) => void>();
  readonly #arrivals = new Map<string, () => void>();

  verify({ publicId }: Otp): Promise<Verification> {
    return new Promise((resolve) => {
      this.#held.set(publicId, resolve);
      this.#arrivals.get(publicId)?.();
    });
  }

  arrived(yubikey: SoftYubikey): Promise<void> {
    return new Promise((resolve) => {
      if (this.#held.has(yubikey.publicId)) resolve();
      else this.#arrivals.set(yubikey.publicId, resolve);
    });
  }

  accept({ publicId }: SoftYubikey): void {
    this.#held.get(publicId)?.(Promise.resolve({ ok: true, identity: { publicId } }));
  }

  refuse({ publicId }: SoftYubikey): void {
    this.#held.get(publicId)?.(Promise.resolve({ ok: false, reason: 'BAD_OTP' }));
  }

  fail({ publicId }: SoftYubikey): void {
    this.#held.get(publicId)?.(Promise.reject(new Error('down')));
  }
}
