import { SoftYubikey } from 'passport-yubikey-otp/testing';

/** More connections than a benchmark opens. */
const MOST_CONNECTIONS = 100;

/** Virtual YubiKeys, and fresh OTPs of them one after another: who asks for many meets every key in turn. */
export class Otps {
  readonly yubikeys: readonly SoftYubikey[];
  #next = 0;

  constructor(yubikeys: number | readonly SoftYubikey[]) {
    this.yubikeys =
      typeof yubikeys === 'number' ? Array.from({ length: yubikeys }, () => new SoftYubikey()) : yubikeys;
  }

  take(count: number): string[] {
    return Array.from({ length: count }, () => this.#press(this.#next++ % this.yubikeys.length));
  }

  /**
   * For requests over many connections, in the order in which they are sent. The first one of a connection waits until
   * that is accepted, while thousands of others may overtake it: its key comes once only.
   */
  takeForConnections(count: number): string[] {
    const others = this.yubikeys.length - MOST_CONNECTIONS;
    return Array.from({ length: count }, (_, at) =>
      this.#press(at < MOST_CONNECTIONS ? at : MOST_CONNECTIONS + (this.#next++ % others)),
    );
  }

  #press(at: number): string {
    return (this.yubikeys[at] as SoftYubikey).press();
  }
}
