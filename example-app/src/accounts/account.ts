import type { Request } from 'express';
import type { Kysely, Transaction } from 'kysely';
import type { Tables } from '../database/tables.js';

/** A user who can sign in: what the routes need to know. */
export interface Account {
  id: string;
  name: string;
  /** Rises with every change to how the user signs in; sessions with a lower generation have ended. */
  generation: number;
  /** With a key, the password alone is not enough to sign in. */
  hasKeys: boolean;
  /** Whether a key may sign in without the password. */
  keyAlone: boolean;
}

type Db = Kysely<Tables> | Transaction<Tables>;

/** The signed-in account. Call this only after a guard, which makes sure that there is one. */
export function currentAccount(req: Request): Account {
  return req.user as Account;
}

/** The start of every query for accounts. */
export function selectAccounts(db: Db) {
  return db
    .selectFrom('accounts')
    .select(['id', 'name', 'generation', 'key_alone'])
    .select((select) =>
      select
        .exists(
          select
            .selectFrom('account_keys')
            .select('public_id')
            .whereRef('account_keys.account_id', '=', 'accounts.id'),
        )
        .as('has_keys'),
    );
}

type Row = Awaited<ReturnType<ReturnType<typeof selectAccounts>['executeTakeFirstOrThrow']>>;

export function toAccount(row: Row): Account;
export function toAccount(row: Row | undefined): Account | undefined;
export function toAccount(row: Row | undefined): Account | undefined {
  if (!row) return undefined;
  const { id, name, generation } = row;
  return { id, name, generation, hasKeys: Boolean(row.has_keys), keyAlone: Boolean(row.key_alone) };
}
