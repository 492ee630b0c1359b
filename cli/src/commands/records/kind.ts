import type { PageOptions, RecordFields, RecordStore } from 'passport-yubikey-otp/stores';
import type { Database } from '../../database/database.js';
import type { Column } from '../../terminal/output.js';

/** What commands do alike with keys and with clients: they name them, turn them on and off, forget them. */
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
  /** What its id is called in JSON. */
  readonly idName: 'publicId' | 'id';
  readonly idColumn: Column<Stored>;
  toId(record: Stored): string;
  /** @throws SetupError for what can be no id. */
  parseId(text: string): string;
  /** How messages name one. */
  formatName(id: string): string;
  /** How one is made, where there are none. */
  readonly howToMakeOne: string;
  /** What cannot be had back. */
  readonly secrets: string;
  /** As the database has them: secrets stay sealed, so that no master key is needed. */
  selectStore(database: Database): RecordKindStore<Stored>;
}

export type RecordKindStore<Stored> = Pick<
  RecordStore<Stored, { active?: boolean | undefined }>,
  'get' | 'replace' | 'delete'
> & { list(options?: PageOptions): ReturnType<RecordStore<Stored, unknown>['list']> };
