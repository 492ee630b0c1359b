import type { PageOptions, RecordFields, RecordStore } from 'passport-yubikey-otp/stores';
import type { Database } from '../../database/database.js';
import type { Column } from '../../terminal/output.js';

/** What the commands for both keys and clients (list, disable, enable, delete) need to know about either. */
export interface RecordKind<Stored extends RecordFields> {
  readonly noun: 'key' | 'client';
  /** The argument of the commands that take several ids. */
  readonly idArgument: { readonly flags: string; readonly description: string };
  readonly descriptions: {
    readonly list: string;
    readonly disable: string;
    readonly enable: string;
    readonly delete: string;
  };
  /** The name of the id in JSON. */
  readonly idName: 'publicId' | 'id';
  readonly idColumn: Column<Stored>;
  toId(record: Stored): string;
  /** @throws SetupError for a text that cannot be an id. */
  parseId(text: string): string;
  /** How messages name a record. */
  formatName(id: string): string;
  /** Advice for a database without any. */
  readonly howToMakeOne: string;
  /** The secrets that cannot be recovered after a record is deleted. */
  readonly secrets: string;
  /** Selects the raw store, in which secrets stay sealed, so that no master key is needed. */
  selectStore(database: Database): RecordKindStore<Stored>;
}

export type RecordKindStore<Stored> = Pick<
  RecordStore<Stored, { active?: boolean | undefined }>,
  'get' | 'replace' | 'delete'
> & { list(options?: PageOptions): ReturnType<RecordStore<Stored, unknown>['list']> };
