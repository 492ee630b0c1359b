import { SoftYubikey } from 'passport-yubikey-otp/testing';

/** Virtual YubiKeys, and fresh OTPs of them one after another: who asks for many meets every key in turn. */
export class Otps {
  readonly yubikeys: readonly SoftYubikey[];
  private next = 0;

  constructor(yubikeys: number) {
    this.yubikeys = Array.from({ length: yubikeys }, () => new SoftYubikey());
  }

  take(count: number): string[] {
    return Array.from({ length: count }, () => {
      const yubikey = this.yubikeys[this.next++ % this.yubikeys.length] as SoftYubikey;
      return yubikey.press();
    });
  }
}
