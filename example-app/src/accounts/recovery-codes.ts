import { createHash, randomInt } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.js';
import type { Account } from './account.js';
import { changeAccount } from './change.js';

const CODES = 10;
/** 16 letters out of 32 are 80 bits, too many to guess, so a fast hash is enough. */
const LENGTH = 16;
/** Without `i`, `l`, `o` and `u`, which are easily misread. */
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz';

/** Codes for users who have lost their keys: shown once, stored as hashes, each valid once. */
export class RecoveryCodes {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  /** Replaces all codes by new ones, which cannot be shown again. */
  async renew(account: Account): Promise<{ account: Account; codes: string[] } | undefined> {
    const codes = Array.from({ length: CODES }, createCode);
    const changed = await changeAccount(this.#db, account, async (transaction) => {
      await transaction.deleteFrom('recovery_codes').where('account_id', '=', account.id).execute();
      await transaction
        .insertInto('recovery_codes')
        .values(codes.map((code) => ({ account_id: account.id, hash: hashCode(account, code) })))
        .execute();
      return true;
    });
    return changed && { account: changed, codes };
  }

  /** Uses a code up. If two requests use it at once, the one that deletes its row succeeds. */
  async use(account: Account, typed: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('recovery_codes')
      .where('account_id', '=', account.id)
      .where('hash', '=', hashCode(account, typed))
      .executeTakeFirst();
    return numDeletedRows === 1n;
  }

  async countLeft({ id }: Account): Promise<number> {
    const { left } = await this.#db
      .selectFrom('recovery_codes')
      .select((select) => select.fn.countAll().as('left'))
      .where('account_id', '=', id)
      .executeTakeFirstOrThrow();
    return Number(left);
  }
}

function createCode(): string {
  const letters = Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');
  return (letters.match(/.{4}/g) as string[]).join('-');
}

/** Accepts capitals, spaces and hyphens anywhere, and letters that look like digits. */
function hashCode({ id }: Account, code: string): string {
  const letters = code.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('o', '0').replaceAll(/[il]/g, '1');
  return createHash('sha256').update(`${id}:${letters}`).digest('hex');
}
