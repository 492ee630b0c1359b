import type { Kysely, Transaction } from 'kysely';
import type { Tables } from '../database/tables.js';
import { type Account, selectAccounts, toAccount } from './account.js';

/**
 * Changes how an account is signed in to, all or nothing, and ends its other sessions: the account that comes
 * back is of a new generation. Undefined, with nothing changed, when the work says false, or when somebody was
 * faster: of two changes made on the same knowledge one wins, so a guard that was passed still holds.
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
