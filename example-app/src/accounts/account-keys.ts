import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.js';
import { type Account, selectAccounts, toAccount } from './account.js';
import { changeAccount } from './change.js';

export interface AccountKey {
  publicId: string;
  name: string;
  addedAt: string;
}

/** The YubiKeys of each account. A key belongs to one account; an account can have any number of keys. */
export class AccountKeys {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async findOwner(publicId: string): Promise<Account | undefined> {
    const row = await this.#db
      .selectFrom('account_keys')
      .select('account_id')
      .where('public_id', '=', publicId)
      .executeTakeFirst();
    return (
      row && toAccount(await selectAccounts(this.#db).where('id', '=', row.account_id).executeTakeFirst())
    );
  }

  async list({ id }: Account): Promise<AccountKey[]> {
    const rows = await this.#db
      .selectFrom('account_keys')
      .selectAll()
      .where('account_id', '=', id)
      .orderBy('added_at')
      .orderBy('public_id')
      .execute();
    return rows.map((row) => ({ publicId: row.public_id, name: row.name, addedAt: row.added_at }));
  }

  async find(account: Account, publicId: unknown): Promise<AccountKey | undefined> {
    return (await this.list(account)).find((key) => key.publicId === publicId);
  }

  /** Undefined if the key already has an owner. If two accounts add it at once, the primary key lets one succeed. */
  add(account: Account, publicId: string, name: string): Promise<Account | undefined> {
    return changeAccount(this.#db, account, async (transaction) => {
      const added = await transaction
        .insertInto('account_keys')
        .values({ public_id: publicId, account_id: account.id, name, added_at: new Date().toISOString() })
        .onConflict((conflict) => conflict.doNothing())
        .returning('public_id')
        .executeTakeFirst();
      return added !== undefined;
    });
  }

  /** Removing the last key also removes the recovery codes, and turns off signing in with a key alone. */
  remove(account: Account, publicId: string): Promise<Account | undefined> {
    return changeAccount(this.#db, account, async (transaction) => {
      const { numDeletedRows } = await transaction
        .deleteFrom('account_keys')
        .where('public_id', '=', publicId)
        .where('account_id', '=', account.id)
        .executeTakeFirst();
      const left = await transaction
        .selectFrom('account_keys')
        .select('public_id')
        .where('account_id', '=', account.id)
        .executeTakeFirst();
      if (!left) {
        await transaction
          .updateTable('accounts')
          .set({ key_alone: 0 })
          .where('id', '=', account.id)
          .execute();
        await transaction.deleteFrom('recovery_codes').where('account_id', '=', account.id).execute();
      }
      return numDeletedRows === 1n;
    });
  }
}
