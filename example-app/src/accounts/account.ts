import type { Request } from 'express';
import type { Kysely, Transaction } from 'kysely';
import type { Tables } from '../database/tables.js';

/** Somebody who can sign in, as far as a request needs to know. */
export interface Account {
  id: string;
  name: string;
  /** Goes up with every change of how the account is signed in to; sessions of an older one have ended. */
  generation: number;
  /** Once there is a key, the password alone opens nothing. */
  hasKeys: boolean;
  /** Whether a key opens the account without the password. */
  keyAlone: boolean;
}

export type Db = Kysely<Tables> | Transaction<Tables>;

/** The account that Passport found for a request; behind a guard there always is one. */
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
