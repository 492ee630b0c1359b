import { randomBytes, randomInt } from 'node:crypto';
import { inspect } from 'node:util';
import { AES_KEY_LENGTH } from '../ksm/aes-key.js';
import { PRIVATE_ID_LENGTH } from '../ksm/private-id.js';
import { assertOptional, type OptionNames } from '../options.js';
import {
  CLOCK_HZ,
  type Counters,
  MAX_SESSION_USE,
  MAX_TIMESTAMP,
  MAX_USAGE_COUNTER,
} from '../otp/counters.js';
import { KEYBOARD_LAYOUTS } from '../otp/keyboard.js';
import { encodeModhex, MODHEX_ALPHABET } from '../otp/modhex.js';
import { isPublicId } from '../otp/otp.js';
import { encryptToken } from '../otp/token.js';

export interface SoftYubikeyOptions {
  /** 0 to 16 modhex letters. Default: 12 random letters that start with `vv`, as in keys programmed by their owner. */
  publicId?: string | undefined;
  /** 6 bytes, or 12 hexadecimal digits. Default: random. */
  privateId?: Uint8Array | string | undefined;
  /** 16 bytes, or 32 hexadecimal digits. Default: random. */
  aesKey?: Uint8Array | string | undefined;
  /** The number of power-ups with a touch so far, 0 to 0x7fff. Default 0, as in a new key. */
  usageCounter?: number | undefined;
  /**
   * The keyboard layout of the computer, by its xkb name, such as `us(dvorak)` or `ru`. Default: a layout that types
   * modhex unchanged.
   */
  layout?: string | undefined;
}

const OPTION_NAMES: OptionNames<SoftYubikeyOptions> = {
  publicId: true,
  privateId: true,
  aesKey: true,
  usageCounter: true,
  layout: true,
};

/** The complete state of a key for JSON, including its secrets. */
export interface SoftYubikeyState {
  publicId: string;
  /** 12 hexadecimal digits. */
  privateId: string;
  /** 32 hexadecimal digits. */
  aesKey: string;
  usageCounter: number;
  /** Undefined before the first touch since power-up. */
  sessionUse?: number | undefined;
  /** The key's clock at power-up, 24 bits. */
  clockAtPowerUp: number;
  /** The time of power-up, in milliseconds since 1970. */
  poweredUpAt: number;
  layout?: string | undefined;
}

export interface PressOptions {
  /** Whether caps lock is on, which marks the token and types the OTP in capitals. Default false. */
  capsLock?: boolean | undefined;
}

const PRESS_OPTIONS: OptionNames<PressOptions> = {
  capsLock: true,
};

/**
 * A virtual YubiKey for tests and demos. It types the same OTPs as a real key with the same secrets.
 *
 * The first touch after power-up raises the usage counter, which stops at 0x7fff. Each further touch raises the session
 * use, which wraps from 0xff into the usage counter. The clock runs at 8 Hz from a random start. `keys.add(softYubikey)`
 * adds the key to a store.
 */
export class SoftYubikey {
  readonly publicId: string;
  readonly privateId: Uint8Array;
  readonly aesKey: Uint8Array;
  readonly #layout: string | undefined;
  #usageCounter: number;
  #sessionUse: number | undefined;
  #clockAtPowerUp = 0;
  #poweredUpAt = 0;
  #timestamp = 0;

  /** @throws TypeError for a public ID or a secret of the wrong length, and an unknown option or layout. */
  constructor(options: SoftYubikeyOptions = {}) {
    assertOptional('SoftYubikey', options, OPTION_NAMES);
    this.publicId = options.publicId ?? `vv${encodeModhex(randomBytes(5))}`;
    if (!isPublicId(this.publicId))
      throw new TypeError('publicId must be 0 to 16 modhex letters, lower case');
    this.privateId = readBytes('privateId', options.privateId, PRIVATE_ID_LENGTH);
    this.aesKey = readBytes('aesKey', options.aesKey, AES_KEY_LENGTH);
    this.#layout = options.layout;
    if (this.#layout !== undefined) findLayoutCharacters(this.#layout);
    this.#usageCounter = checkWholeNumber('usageCounter', options.usageCounter ?? 0, MAX_USAGE_COUNTER);
    this.replug();
  }

  /** The counters of the last touch. Before the first touch, the timestamp is that of power-up or of `fromJSON`. */
  get counters(): Counters {
    return {
      usageCounter: this.#usageCounter,
      sessionUse: this.#sessionUse ?? 0,
      timestamp: this.#timestamp,
    };
  }

  /** Unplugs the key and plugs it in again. */
  replug(): void {
    this.#sessionUse = undefined;
    this.#clockAtPowerUp = randomInt(MAX_TIMESTAMP + 1);
    this.#poweredUpAt = Date.now();
    this.#timestamp = this.#readClock();
  }

  /** Touches the key, and returns the OTP that it types, without the Enter that a real key adds. */
  press(options: PressOptions = {}): string {
    assertOptional('press()', options, PRESS_OPTIONS);
    const { capsLock = false } = options;
    this.#count();
    this.#timestamp = this.#readClock();
    const token = encryptToken(
      { privateId: this.privateId, counters: this.counters, capsLock, random: randomInt(2 ** 16) },
      this.aesKey,
    );
    const typed = this.#type(this.publicId + token);
    return capsLock ? typed.toUpperCase() : typed;
  }

  /** The state of the key, still plugged in, for `SoftYubikey.fromJSON`. Contains its secrets. */
  toJSON(): SoftYubikeyState {
    return {
      publicId: this.publicId,
      privateId: Buffer.from(this.privateId).toString('hex'),
      aesKey: Buffer.from(this.aesKey).toString('hex'),
      usageCounter: this.#usageCounter,
      ...(this.#sessionUse !== undefined && { sessionUse: this.#sessionUse }),
      clockAtPowerUp: this.#clockAtPowerUp,
      poweredUpAt: this.#poweredUpAt,
      ...(this.#layout !== undefined && { layout: this.#layout }),
    };
  }

  /** Restores a key from the state that `toJSON` returned. @throws TypeError for any other state. */
  static fromJSON(state: SoftYubikeyState): SoftYubikey {
    for (const field of ['publicId', 'privateId', 'aesKey', 'usageCounter'] as const) {
      if (state[field] === undefined) throw new TypeError(`The state has no ${field}`);
    }
    const { publicId, privateId, aesKey, usageCounter, layout } = state;
    const yubikey = new SoftYubikey({
      publicId,
      privateId,
      aesKey,
      usageCounter,
      layout,
    });
    if (state.sessionUse !== undefined) {
      yubikey.#sessionUse = checkWholeNumber('sessionUse', state.sessionUse, MAX_SESSION_USE);
    }
    yubikey.#clockAtPowerUp = checkWholeNumber('clockAtPowerUp', state.clockAtPowerUp, MAX_TIMESTAMP);
    yubikey.#poweredUpAt = checkWholeNumber('poweredUpAt', state.poweredUpAt, Number.MAX_SAFE_INTEGER);
    yubikey.#timestamp = yubikey.#readClock();
    return yubikey;
  }

  /** @internal Hides the secrets from `console.log` and `util.inspect`. */
  [inspect.custom](): string {
    return `SoftYubikey ${inspect({ publicId: this.publicId, counters: this.counters })}`;
  }

  #count(): void {
    if (this.#sessionUse !== undefined && this.#sessionUse < MAX_SESSION_USE) {
      this.#sessionUse += 1;
    } else {
      this.#sessionUse = 0;
      this.#usageCounter = Math.min(this.#usageCounter + 1, MAX_USAGE_COUNTER);
    }
  }

  #readClock(): number {
    const ticks = Math.floor(((Date.now() - this.#poweredUpAt) * CLOCK_HZ) / 1000);
    return (this.#clockAtPowerUp + ticks) & MAX_TIMESTAMP;
  }

  #type(modhex: string): string {
    if (this.#layout === undefined) return modhex;
    const characters = findLayoutCharacters(this.#layout);
    return [...modhex].map((letter) => characters[MODHEX_ALPHABET.indexOf(letter)]).join('');
  }
}

function findLayoutCharacters(layout: string): string[] {
  const table = KEYBOARD_LAYOUTS.find(({ name }) => name === layout);
  if (table) return [...table.characters];
  const known = KEYBOARD_LAYOUTS.map(({ name }) => name).join(', ');
  throw new TypeError(`Unknown layout ${layout}; the known layouts are ${known}`);
}

function readBytes(name: string, value: Uint8Array | string | undefined, length: number): Uint8Array {
  const isHex = typeof value === 'string' && /^([0-9a-f]{2})*$/i.test(value);
  const bytes = value === undefined ? randomBytes(length) : isHex ? Buffer.from(value, 'hex') : value;
  if (!(bytes instanceof Uint8Array) || bytes.length !== length) {
    throw new TypeError(`${name} must be ${length} bytes, or ${2 * length} hexadecimal digits`);
  }
  return bytes;
}

function checkWholeNumber(name: string, value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new TypeError(`${name} must be a whole number from 0 to ${most}`);
  }
  return value;
}
