import type { Counters } from '../otp/counters.js';

/** A key to store: what was programmed into a YubiKey. */
export interface NewKey {
  /** 0 to 16 modhex letters, usually 12. */
  readonly publicId: string;
  /** 16 bytes, secret. */
  readonly aesKey: Uint8Array;
  /** 6 bytes, secret. A key stored without one verifies nobody. */
  readonly privateId?: Uint8Array | undefined;
  /** Whose key it is, or what you like; shown to administrators. */
  readonly notes?: string | undefined;
  /** False turns the key off without forgetting it. Default true. */
  readonly active?: boolean | undefined;
}

/** A stored key. Engines take `aesKey` and `privateId` as bytes they need not understand. */
export interface KeyRecord {
  readonly publicId: string;
  readonly aesKey: Uint8Array;
  readonly privateId: Uint8Array | undefined;
  readonly notes: string;
  readonly active: boolean;
  readonly createdAt: Date;
  /** Changes at every write, and is never used twice: what `replace` compares. Made by the store. */
  readonly revision: string;
}

export interface KeyPage {
  readonly keys: readonly KeyRecord[];
  /** Give it to the next `list` call as `after`; undefined on the last page. */
  readonly next: string | undefined;
}

/** The AES keys of YubiKeys, by public ID. */
export interface KeyStore {
  get(publicId: string): Promise<KeyRecord | undefined>;
  /** Adds a key; false when the public ID is taken, and then nothing is changed. */
  add(key: NewKey): Promise<boolean>;
  /**
   * Compare-and-swap: writes `change` over the record if it is still `expected`, in one atomic step. False
   * when it was changed or deleted meanwhile, and then nothing is changed.
   */
  replace(expected: KeyRecord, change: Partial<Omit<NewKey, 'publicId'>>): Promise<boolean>;
  /** Keys in the order of their public IDs, after the one named. Default limit 100. */
  list(options?: { after?: string | undefined; limit?: number | undefined }): Promise<KeyPage>;
  /** Forgets a key; false when there was none. Its counters stay, so old OTPs stay used. */
  delete(publicId: string): Promise<boolean>;
}

/** What a counter store knows of one key. */
export interface CounterRecord extends Counters {
  readonly acceptedAt: Date;
  /** How many OTPs of the key were accepted. */
  readonly acceptedCount: number;
}

export type Advance =
  | { readonly advanced: true; readonly current: CounterRecord; readonly previous: CounterRecord | undefined }
  | { readonly advanced: false; readonly reason: 'REPLAYED_OTP' | 'REPLAYED_REQUEST' };

/** The highest counters seen of each key: what refuses replays. */
export interface CounterStore {
  /**
   * Accepts the counters if they are newer than all before, in one atomic and durable step: of any number of
   * calls with one OTP, in any number of processes, exactly one advances. This write is the verdict.
   *
   * Equal counters with the nonce that was accepted are REPLAYED_REQUEST, all else that is not newer is
   * REPLAYED_OTP. Rejects when it is not certain that the write is durable, and with a `RangeError` for
   * counters that no key has, such as a usage counter with the caps-lock bit.
   */
  advance(publicId: string, counters: Counters, nonce?: string): Promise<Advance>;
  get(publicId: string): Promise<CounterRecord | undefined>;
}
