import { YubikeyError } from '../../errors.js';
import { applyChange, CLIENT, type RecordKind, readPageOptions, type Secrets, YUBIKEY } from '../records.js';
import type {
  ClientRecord,
  ClientStore,
  KeyRecord,
  KeyStore,
  NewClient,
  NewKey,
  Page,
  PageOptions,
  RecordFields,
  RecordStore,
} from '../store.js';
import type { Keyring } from './keyring.js';

export interface ResealProgress {
  /** Records checked so far. */
  checked: number;
  /** How many of them were resealed with the current master key. */
  resealed: number;
}

/** Also fits a keyring of another copy of this package: the whole class would not, because of its private members. */
type AnyKeyring = Pick<Keyring, 'seal' | 'open' | 'isCurrent'>;

/** Seals the secrets of records before another store gets them, and opens them for callers. */
class SealedRecords<Stored extends RecordFields, New> implements RecordStore<Stored, New> {
  readonly #kind: RecordKind<Stored, New>;
  readonly #store: RecordStore<Stored, New>;
  readonly #keyring: AnyKeyring;

  constructor(kind: RecordKind<Stored, New>, store: RecordStore<Stored, New>, keyring: AnyKeyring) {
    this.#kind = kind;
    this.#store = store;
    this.#keyring = keyring;
  }

  async get(id: string): Promise<Stored | undefined> {
    const sealed = await this.#store.get(id);
    return sealed && this.#openRecord(sealed);
  }

  async add(record: New): Promise<boolean> {
    this.#kind.assert(record);
    return this.#store.add({ ...record, ...this.#sealSecrets(record) });
  }

  async replace(expected: Stored, change: Partial<New>): Promise<boolean> {
    const next = applyChange<New>(expected, change);
    this.#kind.assert(next);
    return this.#swap(expected, next);
  }

  async list(options?: PageOptions): Promise<Page<Stored>> {
    const { records, next } = await this.#store.list(readPageOptions(options));
    return { records: records.map((sealed) => this.#openRecord(sealed)), next };
  }

  async delete(id: string): Promise<boolean> {
    return this.#store.delete(id);
  }

  /**
   * Reseals every record that is not sealed with the current master key. The store may be in use meanwhile. After an
   * interruption, the next call goes on with the remaining records. Remove the old master key only after this has
   * resolved and every instance seals with the current one.
   *
   * @throws YubikeyError `MASTER_KEY_UNKNOWN` or `SEAL_BROKEN` if records do not open, after all others have been
   * resealed. Its message names the first ten of them; its code and `cause` are those of the first one.
   */
  async reseal(onProgress?: (progress: ResealProgress) => void): Promise<ResealProgress> {
    const progress = { checked: 0, resealed: 0 };
    const unopened = new Unopened(this.#kind.name);
    let after: string | undefined;
    do {
      const { records, next } = await this.#store.list({ after, limit: 500 });
      for (const sealed of records) {
        progress.checked += 1;
        try {
          if (await this.#resealOne(sealed)) progress.resealed += 1;
        } catch (error) {
          unopened.add(this.#kind.recordId(sealed), error);
        }
      }
      onProgress?.({ ...progress });
      after = next;
    } while (after !== undefined);
    unopened.throwIfAny(progress.checked);
    return progress;
  }

  async #resealOne(found: Stored): Promise<boolean> {
    let sealed: Stored | undefined = found;
    while (sealed && !this.#keyring.isCurrent(this.#sealedBlob(sealed))) {
      if (await this.#swap(sealed, this.#openRecord(sealed) as unknown as New)) return true;
      sealed = await this.#store.get(this.#kind.recordId(sealed));
    }
    return false;
  }

  /** Puts the sealed secrets into both records, since the plain secrets of `expected` must not reach the store. */
  #swap(expected: Stored, next: New): Promise<boolean> {
    const sealed = this.#sealSecrets(next, this.#kind.recordId(expected));
    return this.#store.replace({ ...expected, ...sealed }, { ...next, ...sealed });
  }

  #sealSecrets(record: New, id = this.#kind.recordId(record)): Partial<New> {
    const secrets = packSecrets(this.#kind.readSecrets(record));
    return this.#kind.withSecrets([this.#keyring.seal(this.#kind.name, id, secrets)]);
  }

  #openRecord(sealed: Stored): Stored {
    const secrets = this.#keyring.open(
      this.#kind.name,
      this.#kind.recordId(sealed),
      this.#sealedBlob(sealed),
    );
    return { ...sealed, ...this.#kind.withSecrets(unpackSecrets(secrets)) };
  }

  #sealedBlob(sealed: Stored): Uint8Array {
    return this.#kind.readSecrets(sealed as unknown as New)[0] ?? new Uint8Array();
  }
}

/** The records that one call of `reseal()` could not open. */
class Unopened {
  static readonly #MAX_NAMED = 10;
  readonly #ids: string[] = [];
  #count = 0;
  #first: YubikeyError | undefined;
  #isAnyBroken = false;
  readonly #kind: string;

  constructor(kind: string) {
    this.#kind = kind;
  }

  /** Adds a record that does not open. Rethrows any other error, since that concerns more than one record. */
  add(id: string, error: unknown): void {
    const isOfRecord = error instanceof YubikeyError && /^(SEAL_BROKEN|MASTER_KEY_UNKNOWN)$/.test(error.code);
    if (!isOfRecord) throw error;
    this.#first ??= error;
    this.#isAnyBroken ||= error.code === 'SEAL_BROKEN';
    this.#count += 1;
    if (this.#ids.length < Unopened.#MAX_NAMED) this.#ids.push(id || '(empty)');
  }

  throwIfAny(checked: number): void {
    if (!this.#first) return;
    const more = this.#count > this.#ids.length ? ` and ${this.#count - this.#ids.length} more` : '';
    const message =
      `Not resealed: ${this.#kind} ${this.#ids.join(', ')}${more} (${this.#count} in all). ${this.#first.message}. ` +
      `${this.#remedy(checked)}; then reseal again`;
    throw new YubikeyError(this.#first.code, message, { cause: this.#first });
  }

  /** Advises to delete records only if the old master key cannot open them. */
  #remedy(checked: number): string {
    const oldKey = 'add the old master key to the keyring, from its file or a backup of that file';
    if (!this.#isAnyBroken) return `To open them, ${oldKey}`;
    if (this.#count === checked)
      return `None of them opens, so the keyring may have another master key under the id of the old one: ${oldKey}, in its place, or restore the database from a backup`;
    return `Restore damaged records from a backup. If a master key is missing, ${oldKey}. Delete only damaged records that are in no backup`;
  }
}

/** Keys whose AES key and private ID are sealed with a {@link Keyring} before `store` gets them, both as its `aesKey`. */
export class SealedKeyStore extends SealedRecords<KeyRecord, NewKey> implements KeyStore {
  constructor(store: KeyStore, keyring: AnyKeyring) {
    super(YUBIKEY, store, keyring);
  }
}

/** Clients whose API key is sealed with a {@link Keyring} before `store` gets it. */
export class SealedClientStore extends SealedRecords<ClientRecord, NewClient> implements ClientStore {
  constructor(store: ClientStore, keyring: AnyKeyring) {
    super(CLIENT, store, keyring);
  }
}

const ABSENT = 0xffff;

/** Each secret after its length (2 bytes); for an absent one, the length is {@link ABSENT}, which no secret has. */
function packSecrets(secrets: Secrets): Buffer {
  return Buffer.concat(
    secrets.flatMap((secret) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(secret?.length ?? ABSENT);
      return [length, secret ?? Buffer.alloc(0)];
    }),
  );
}

function unpackSecrets(bytes: Buffer): Secrets {
  const secrets: (Uint8Array | undefined)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt16BE(at);
    const end = at + 2 + (length === ABSENT ? 0 : length);
    secrets.push(length === ABSENT ? undefined : bytes.subarray(at + 2, end));
    at = end;
  }
  return secrets;
}
