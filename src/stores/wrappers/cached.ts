import { readPageOptions } from '../records.js';
import type {
  ClientRecord,
  ClientStore,
  KeyRecord,
  KeyStore,
  NewClient,
  NewKey,
  Page,
  PageOptions,
  RecordStore,
} from '../store.js';

/** For so long a record is taken as it was read. */
const FRESH_MS = 1_000;
/** So many records are kept. */
const MOST = 2_000;

interface CachedRead<Stored> {
  readonly record: Promise<Stored | undefined>;
  readonly at: number;
}

/** Asks another store at most once a second for each record. What is not there is asked for each time. */
class CachedRecords<Stored, New> implements RecordStore<Stored, New> {
  readonly #store: RecordStore<Stored, New>;
  readonly #recordId: (record: Stored | New) => string;
  /** The oldest look first. */
  readonly #reads = new Map<string, CachedRead<Stored>>();

  constructor(store: RecordStore<Stored, New>, recordId: (record: Stored | New) => string) {
    this.#store = store;
    this.#recordId = recordId;
  }

  get(id: string): Promise<Stored | undefined> {
    const now = performance.now();
    const last = this.#reads.get(id);
    if (last && now - last.at < FRESH_MS) return last.record;
    this.#reads.delete(id);
    this.#forgetOld(now);
    const look = { record: this.#store.get(id), at: now };
    this.#reads.set(id, look);
    look.record.then(
      (record) => {
        if (record === undefined) this.#forget(id, look);
      },
      () => this.#reads.clear(),
    );
    return look.record;
  }

  add(record: New): Promise<boolean> {
    return this.#forgetAfter(this.#recordId(record), this.#store.add(record));
  }

  replace(expected: Stored, change: Partial<New>): Promise<boolean> {
    return this.#forgetAfter(this.#recordId(expected), this.#store.replace(expected, change));
  }

  delete(id: string): Promise<boolean> {
    return this.#forgetAfter(id, this.#store.delete(id));
  }

  async list(options?: PageOptions): Promise<Page<Stored>> {
    return this.#store.list(readPageOptions(options));
  }

  /** Whoever looked before the change was there, or lost against another one, is not believed after it. */
  #forgetAfter(id: string, change: Promise<boolean>): Promise<boolean> {
    return change.finally(() => this.#reads.delete(id));
  }

  #forget(id: string, look: CachedRead<Stored>): void {
    if (this.#reads.get(id) === look) this.#reads.delete(id);
  }

  #forgetOld(now: number): void {
    for (const [id, { at }] of this.#reads) {
      if (now - at < FRESH_MS && this.#reads.size < MOST) return;
      this.#reads.delete(id);
    }
  }
}

/**
 * The keys of another store, each read at most once a second, for services that verify many OTPs: what another
 * process disables, deletes or seals anew takes effect within one second, what is done through this store at once.
 * A look that fails drops everything read before. Keeps up to 2,000 records, with their secrets, in memory.
 */
export class CachedKeyStore extends CachedRecords<KeyRecord, NewKey> implements KeyStore {
  constructor(store: KeyStore) {
    super(store, ({ publicId }) => publicId);
  }
}

/** The clients of another store, each read at most once a second, as {@link CachedKeyStore} does with keys. */
export class CachedClientStore extends CachedRecords<ClientRecord, NewClient> implements ClientStore {
  constructor(store: ClientStore) {
    super(store, ({ id }) => id);
  }
}
