import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.js';
import { type Account, selectAccounts, toAccount } from './account.js';
import { changeAccount } from './change.js';
import type { Passwords } from './passwords.js';

/** The accounts, with their names and passwords. */
export class Accounts {
  readonly #db: Kysely<Tables>;
  readonly #passwords: Passwords;

  constructor(db: Kysely<Tables>, passwords: Passwords) {
    this.#db = db;
    this.#passwords = passwords;
  }

  async findById(id: string): Promise<Account | undefined> {
    return toAccount(await selectAccounts(this.#db).where('id', '=', id).executeTakeFirst());
  }

  async findByName(name: string): Promise<Account | undefined> {
    return toAccount(await selectAccounts(this.#db).where('name_key', '=', nameKey(name)).executeTakeFirst());
  }

  /** Takes as long for an unknown name as for a known one, so that the time does not reveal which names exist. */
  async checkPassword(name: string, password: string): Promise<Account | undefined> {
    const row = await selectAccounts(this.#db)
      .select('password_hash')
      .where('name_key', '=', nameKey(name))
      .executeTakeFirst();
    const matches = await this.#passwords.matches(
      password,
      row?.password_hash ?? this.#passwords.unmatchableHash(),
    );
    return matches ? toAccount(row) : undefined;
  }

  /** Undefined if the name is taken. */
  async add(name: string, password: string): Promise<Account | undefined> {
    const password_hash = await this.#passwords.hash(password);
    const added = await this.#db
      .insertInto('accounts')
      .values({ id: randomUUID(), name, name_key: nameKey(name), password_hash })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst();
    return added && this.findById(added.id);
  }

  /** Sets whether the account's keys may sign in without the password. */
  setKeyAlone(account: Account, allowed: boolean): Promise<Account | undefined> {
    return changeAccount(this.#db, account, async (transaction) => {
      await transaction
        .updateTable('accounts')
        .set({ key_alone: allowed ? 1 : 0 })
        .where('id', '=', account.id)
        .execute();
      return true;
    });
  }
}

/** Names that look the same share one key: `Alice` and `alice`, and both ways to compose an accent. */
function nameKey(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}
