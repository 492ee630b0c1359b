import { randomUUID } from 'node:crypto';
import { assertOptional } from '../options.js';
import { isPublicId } from '../otp/otp.js';
import { isClientId } from '../protocol/validation-request.js';
import { assertId } from './checks.js';
import {
  type ClientRecord,
  type ClientStore,
  type KeyRecord,
  type KeyStore,
  type NewClient,
  type NewKey,
  PAGE_OPTIONS,
  type Page,
  type PageOptions,
  type RecordFields,
  type RecordStore,
} from './store.js';

/** The secrets of a record, in the order of its kind's `secretNames`. */
export type Secrets = readonly (Uint8Array | undefined)[];

/** How records of one kind are stored: by which id, with which secrets. */
export interface RecordKind<Stored, New> {
  readonly name: 'yubikey' | 'client';
  readonly secretNames: readonly string[];
  /** @throws TypeError whose message contains no secret. */
  assert(record: New): void;
  recordId(record: New | Stored): string;
  readSecrets(record: New): Secrets;
  withSecrets(secrets: Secrets): Partial<New>;
  toRecord(row: Row): Stored;
}

type Common = { notes?: string | undefined; active?: boolean | undefined };

export const YUBIKEY: RecordKind<KeyRecord, NewKey> = {
  name: 'yubikey',
  secretNames: ['aes_key', 'private_id'],
  assert({ publicId, aesKey, privateId }) {
    if (!isPublicId(publicId)) {
      throw new TypeError('publicId must be 0 to 16 modhex letters (cbdefghijklnrtuv), lower case');
    }
    if (!(aesKey instanceof Uint8Array)) {
      throw new TypeError('aesKey must be bytes (Uint8Array); parseAesKey() reads hex and base64');
    }
    if (privateId !== undefined && !(privateId instanceof Uint8Array)) {
      throw new TypeError('privateId must be bytes (Uint8Array); parsePrivateId() reads hex');
    }
  },
  recordId: ({ publicId }) => publicId,
  readSecrets: ({ aesKey, privateId }) => [aesKey, privateId],
  withSecrets: ([aesKey, privateId]) => ({ aesKey: aesKey as Uint8Array, privateId }),
  toRecord: ({ id, secrets, notes, active, createdAt, revision }) => ({
    publicId: id,
    aesKey: secrets[0] as Uint8Array,
    privateId: secrets[1],
    notes,
    active,
    createdAt,
    revision,
  }),
};

export const CLIENT: RecordKind<ClientRecord, NewClient> = {
  name: 'client',
  secretNames: ['api_key'],
  assert({ id, apiKey }) {
    if (typeof id !== 'string' || !isClientId(id)) throw new TypeError('id must be 1 to 20 decimal digits');
    if (!(apiKey instanceof Uint8Array)) throw new TypeError('apiKey must be bytes (Uint8Array)');
  },
  recordId: ({ id }) => id,
  readSecrets: ({ apiKey }) => [apiKey],
  withSecrets: ([apiKey]) => ({ apiKey: apiKey as Uint8Array }),
  toRecord: ({ id, secrets, notes, active, createdAt, revision }) => ({
    id,
    apiKey: secrets[0] as Uint8Array,
    notes,
    active,
    createdAt,
    revision,
  }),
};

/**
 * A record as engines see it, whatever its kind.
 *
 * @experimental
 */
export interface Row extends RecordFields {
  readonly id: string;
  /** Opaque bytes; a secret that the record does not have is undefined. */
  readonly secrets: Secrets;
}

/**
 * The rows of keys or of clients in an engine. Each operation is one atomic step, durable once it has resolved.
 *
 * @experimental
 */
export interface RowTable {
  get(id: string): Promise<Row | undefined> | Row | undefined;
  /** Resolves with false if the id is taken. */
  add(row: Row): Promise<boolean>;
  /** Resolves with false unless the stored revision is `revision`. Keeps `createdAt`. */
  replace(row: Row, revision: string): Promise<boolean>;
  /** At most `limit` rows, in the order of their ids. With `after`, only those whose ids come after it. */
  list(after: string | undefined, limit: number): Promise<Row[]>;
  delete(id: string): Promise<boolean>;
}

/**
 * Keys, stored as rows of an engine. Checks what it is given, and sets the dates and revisions.
 *
 * @experimental
 */
export function createKeyStore(table: RowTable): KeyStore {
  return new Records(YUBIKEY, table);
}

/**
 * Clients, stored as rows of an engine. Checks what it is given, and sets the dates and revisions.
 *
 * @experimental
 */
export function createClientStore(table: RowTable): ClientStore {
  return new Records(CLIENT, table);
}

/** Records of one kind, stored as rows of an engine. */
class Records<Stored extends RecordFields, New extends Common> implements RecordStore<Stored, New> {
  readonly #kind: RecordKind<Stored, New>;
  readonly #table: RowTable;

  constructor(kind: RecordKind<Stored, New>, table: RowTable) {
    this.#kind = kind;
    this.#table = table;
  }

  async get(id: string): Promise<Stored | undefined> {
    assertId(id);
    const found = this.#table.get(id);
    const row = found instanceof Promise ? await found : found;
    return row && this.#kind.toRecord(row);
  }

  async add(record: New): Promise<boolean> {
    return this.#table.add(this.#toRow(record, new Date()));
  }

  async replace(expected: Stored, change: Partial<New>): Promise<boolean> {
    const next = applyChange<New>(expected, change);
    const row = this.#toRow(next, expected.createdAt);
    return this.#table.replace({ ...row, id: this.#kind.recordId(expected) }, expected.revision);
  }

  async list(options?: PageOptions): Promise<Page<Stored>> {
    const { after, limit } = readPageOptions(options);
    if (after !== undefined) assertId(after);
    return cutPage(await this.#table.list(after, limit + 1), limit, this.#kind.toRecord);
  }

  async delete(id: string): Promise<boolean> {
    assertId(id);
    return this.#table.delete(id);
  }

  #toRow(record: New, createdAt: Date): Row {
    this.#kind.assert(record);
    const notes = record.notes ?? '';
    // libsql may end the process if it is given anything but text.
    if (typeof notes !== 'string') throw new TypeError('notes must be text');
    return {
      id: this.#kind.recordId(record),
      secrets: this.#kind.readSecrets(record).map((secret) => secret && Uint8Array.from(secret)),
      notes,
      active: record.active ?? true,
      createdAt,
      revision: randomUUID(),
    };
  }
}

/** Applies a change to a record. Properties that the change leaves undefined keep their values. */
export function applyChange<New>(expected: object, change: Partial<New>): New {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  return { ...expected, ...Object.fromEntries(given) } as New;
}

/**
 * Checks the options of `list` and adds the defaults.
 *
 * @experimental
 * @throws TypeError for an unknown option.
 */
export function readPageOptions(options: PageOptions = {}): { after: string | undefined; limit: number } {
  assertOptional('list()', options, PAGE_OPTIONS);
  const { after, limit = 100 } = options;
  return { after, limit };
}

/**
 * Makes a page of at most `limit` rows. `rows` has one more if there is another page.
 *
 * @experimental
 */
export function cutPage<From extends { id: string }, Stored>(
  rows: readonly From[],
  limit: number,
  toRecord: (row: From) => Stored,
): Page<Stored> {
  const shown = rows.slice(0, limit);
  return { records: shown.map(toRecord), next: rows.length > limit ? shown.at(-1)?.id : undefined };
}
