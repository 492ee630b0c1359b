import type { Kysely, Transaction } from 'kysely';
import type { Tables } from '../database/tables.js';
import { type Account, selectAccounts, toAccount } from './account.js';

/**
 * Changes how a user signs in, as a whole or not at all, and ends the account's other sessions. Returns the account
 * with its new generation; or undefined, with nothing changed, if `work` returns false or if another request has
 * changed the account since it was read. So what a guard has checked is still true when the change is made.
 */
export async function changeAccount(
  db: Kysely<Tables>,
  { id, generation }: Account,
  work: (transaction: Transaction<Tables>) => Promise<boolean>,
): Promise<Account | undefined> {
  try {
    return await db.transaction().execute(async (transaction) => {
      const { numUpdatedRows } = await transaction
        .updateTable('accounts')
        .set({ generation: generation + 1 })
        .where('id', '=', id)
        .where('generation', '=', generation)
        .executeTakeFirst();
      if (numUpdatedRows !== 1n || !(await work(transaction))) throw new NothingChanged();
      return toAccount(await selectAccounts(transaction).where('id', '=', id).executeTakeFirstOrThrow());
    });
  } catch (error) {
    if (error instanceof NothingChanged) return undefined;
    throw error;
  }
}

/** Rolls the transaction back. */
class NothingChanged extends Error {}
