import { SoftYubikey } from 'passport-yubikey-otp/testing';

/** More than any benchmark opens. */
const MOST_CONNECTIONS = 100;

/** Virtual YubiKeys and their OTPs. Every key is used in turn. */
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
   * OTPs for requests over many connections, in the order in which they are sent. The first request of a connection
   * waits until that is accepted, and thousands of others may overtake it, so its key is used only once.
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
