import type { OptionNames } from '../options.js';
import type { Counters } from '../otp/counters.js';

/** What every stored record has besides its secrets. */
export interface RecordFields {
  /** Whatever helps administrators to tell records apart. Not secret. */
  readonly notes: string;
  /** False turns it off without forgetting it. */
  readonly active: boolean;
  readonly createdAt: Date;
  /** Changes at every write, and is never used twice: what `replace` compares. Made by the store. */
  readonly revision: string;
}

/** A key to store: what was programmed into a YubiKey. */
export interface NewKey {
  /** 0 to 16 modhex letters, usually 12. */
  readonly publicId: string;
  /** 16 bytes, secret. */
  readonly aesKey: Uint8Array;
  /** 6 bytes, secret. A key stored without one verifies nobody until an OTP of it has been pinned. */
  readonly privateId?: Uint8Array | undefined;
  /** Default empty. */
  readonly notes?: string | undefined;
  /** Default true. */
  readonly active?: boolean | undefined;
}

/** A stored key. Engines take `aesKey` and `privateId` as bytes they need not understand. */
export interface KeyRecord extends RecordFields {
  readonly publicId: string;
  readonly aesKey: Uint8Array;
  readonly privateId: Uint8Array | undefined;
}

/** A client of a validation server to store. */
export interface NewClient {
  /** 1 to 20 decimal digits. */
  readonly id: string;
  /** The API key, secret: usually 20 bytes. */
  readonly apiKey: Uint8Array;
  /** Default empty. */
  readonly notes?: string | undefined;
  /** Default true. */
  readonly active?: boolean | undefined;
}

/** A stored client. Engines take `apiKey` as bytes they need not understand. */
export interface ClientRecord extends RecordFields {
  readonly id: string;
  readonly apiKey: Uint8Array;
}

export interface Page<Stored> {
  readonly records: readonly Stored[];
  /** Give it to the next `list` call as `after`; undefined on the last page. */
  readonly next: string | undefined;
}

export interface PageOptions {
  /** The id of the last record of the page before. */
  after?: string | undefined;
  /** Default 100. */
  limit?: number | undefined;
}

export const PAGE_OPTIONS: OptionNames<PageOptions> = {
  after: true,
  limit: true,
};

/** What can be done with stored keys, by public ID, and with stored clients, by id. */
export interface RecordStore<Stored, New> {
  get(id: string): Promise<Stored | undefined>;
  /** Adds a record; false when the id is taken, and then nothing is changed. */
  add(record: New): Promise<boolean>;
  /**
   * Compare-and-swap: writes `change` over the record if it is still `expected`, in one atomic step; the id, and
   * what the change leaves undefined, stays. False when it was changed or deleted meanwhile, and then nothing is changed.
   */
  replace(expected: Stored, change: Partial<New>): Promise<boolean>;
  /** Records in the order of their ids. */
  list(options?: PageOptions): Promise<Page<Stored>>;
  /** Forgets a record; false when there was none. A key's counters stay, so its old OTPs stay used. */
  delete(id: string): Promise<boolean>;
}

/** The AES keys of YubiKeys, by public ID. */
export type KeyStore = RecordStore<KeyRecord, NewKey>;

/** The clients of a validation server, by id. */
export type ClientStore = RecordStore<ClientRecord, NewClient>;

/** What a counter store knows of one key. */
export interface CounterRecord extends Counters {
  readonly acceptedAt: Date;
  /** How many OTPs of the key were accepted. */
  readonly acceptedCount: number;
}

/** A counter record with what names it, for export. */
export interface ListedCounters extends CounterRecord {
  readonly publicId: string;
  readonly nonce: string | undefined;
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
   * REPLAYED_OTP. `acceptedAt` is now, unless counters are brought from another server.
   *
   * Rejects with a YubikeyError when it is not certain that the write is durable: `STORE_FAILED` where nothing was
   * written, `ANSWER_LOST` where it may have been; by the store's deadline, and at once for the signal. Rejects with a
   * `RangeError` for counters that no key has, such as a usage counter with the caps-lock bit.
   */
  advance(
    publicId: string,
    counters: Counters,
    nonce?: string,
    acceptedAt?: Date,
    signal?: AbortSignal,
  ): Promise<Advance>;
  get(publicId: string): Promise<CounterRecord | undefined>;
  /**
   * All counters, in the order of their public IDs. A `publicId` with a colon in it is none: `unpinned:…` is what a KSM
   * saw of a key that was stored without a private ID.
   */
  list(options?: PageOptions): Promise<Page<ListedCounters>>;
}

/** What an engine promises of a write that has resolved, as read back from the database itself. */
export interface Durability {
  /** Whether no crash and no loss of power makes an accepted OTP acceptable again. */
  readonly durable: boolean;
  /** The settings that decide it and what they mean, for the operator. */
  readonly statement: string;
}
