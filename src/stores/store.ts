import type { OptionNames } from '../options.js';
import type { Counters } from '../otp/counters.js';

/** Properties of every stored record, besides its secrets. */
export interface RecordFields {
  /** Free text that helps administrators to tell records apart. Not secret. */
  readonly notes: string;
  /** False disables the record without deleting it. */
  readonly active: boolean;
  readonly createdAt: Date;
  /** Set by the store: changes with every write and is never reused, so that `replace` can compare it. */
  readonly revision: string;
}

/** A key to store: the values that were programmed into a YubiKey. */
export interface NewKey {
  /** 0 to 16 modhex letters, usually 12. */
  readonly publicId: string;
  /** 16 bytes, secret. */
  readonly aesKey: Uint8Array;
  /** 6 bytes, secret. Without it, OTPs of the key are refused until its private ID has been pinned. */
  readonly privateId?: Uint8Array | undefined;
  /** Default empty. */
  readonly notes?: string | undefined;
  /** Default true. */
  readonly active?: boolean | undefined;
}

/** A stored key. To engines, `aesKey` and `privateId` are opaque bytes. */
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

/** A stored client. To engines, `apiKey` is opaque bytes. */
export interface ClientRecord extends RecordFields {
  readonly id: string;
  readonly apiKey: Uint8Array;
}

export interface Page<Stored> {
  readonly records: readonly Stored[];
  /** Pass it as `after` to the next call of `list`; undefined on the last page. */
  readonly next: string | undefined;
}

export interface PageOptions {
  /** The id of the last record on the previous page. */
  after?: string | undefined;
  /** Default 100. */
  limit?: number | undefined;
}

export const PAGE_OPTIONS: OptionNames<PageOptions> = {
  after: true,
  limit: true,
};

/** Operations on stored keys, by public ID, and on stored clients, by id. */
export interface RecordStore<Stored, New> {
  get(id: string): Promise<Stored | undefined>;
  /** Adds a record. Resolves with false, and changes nothing, if the id is taken. */
  add(record: New): Promise<boolean>;
  /**
   * Compare-and-swap: writes `change` over the record if that is still `expected`, in one atomic step. Keeps the id, and
   * properties that the change leaves undefined. Resolves with false, and changes nothing, if the record was changed or
   * deleted in the meantime.
   */
  replace(expected: Stored, change: Partial<New>): Promise<boolean>;
  /** Records in the order of their ids. */
  list(options?: PageOptions): Promise<Page<Stored>>;
  /** Deletes a record; false if there was none. A key's counters are kept, so its old OTPs stay used up. */
  delete(id: string): Promise<boolean>;
}

/** The AES keys of YubiKeys, by public ID. */
export type KeyStore = RecordStore<KeyRecord, NewKey>;

/** The clients of a validation server, by id. */
export type ClientStore = RecordStore<ClientRecord, NewClient>;

/** What a counter store knows about one key. */
export interface CounterRecord extends Counters {
  readonly acceptedAt: Date;
  /** How many OTPs of the key have been accepted. */
  readonly acceptedCount: number;
}

/** A counter record with its public ID and nonce, for export. */
export interface ListedCounters extends CounterRecord {
  readonly publicId: string;
  readonly nonce: string | undefined;
}

export type Advance =
  | { readonly advanced: true; readonly current: CounterRecord; readonly previous: CounterRecord | undefined }
  | { readonly advanced: false; readonly reason: 'REPLAYED_OTP' | 'REPLAYED_REQUEST' };

/** The highest counters seen from each key: with them, replays are refused. */
export interface CounterStore {
  /**
   * Accepts the counters if they are newer than all earlier ones, in one atomic and durable step: of any number of
   * calls with the same OTP, in any number of processes, exactly one advances. This write is the verdict.
   *
   * Equal counters with the nonce that was accepted are REPLAYED_REQUEST; any others that are not newer are
   * REPLAYED_OTP. `acceptedAt` defaults to now; imports of another server's counters pass it.
   *
   * Rejects with a YubikeyError if it is not certain that the write is durable: with `STORE_FAILED` if nothing was
   * written, with `ANSWER_LOST` if it may have been; by the store's deadline, or immediately when the signal aborts.
   * Rejects with a `RangeError` for counters out of range, such as a usage counter with the caps-lock bit.
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
   * All counters, in the order of their public IDs. A `publicId` that contains a colon is not a public ID: under
   * `unpinned:…`, a KSM keeps the counters of OTPs of a key that was stored without a private ID.
   */
  list(options?: PageOptions): Promise<Page<ListedCounters>>;
}

/** What an engine guarantees for a write that has resolved, as read back from the database itself. */
export interface Durability {
  /** Whether an accepted OTP stays refused after any crash or loss of power. */
  readonly durable: boolean;
  /** The settings it depends on and what they mean, for the operator. */
  readonly statement: string;
}
