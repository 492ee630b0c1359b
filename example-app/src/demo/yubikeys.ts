import type { Kysely } from 'kysely';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import type { Account } from '../accounts/account.js';
import { DEMO_PUBLIC_ID } from '../database/demo-data.js';
import type { Tables } from '../database/tables.js';

/** A key on the demo panel. */
export interface DemoKey {
  publicId: string;
  label: string;
}

const MAX_SHOWN = 6;

/** All virtual YubiKeys. A real one counts touches in its own memory; these count them in the database. */
export class DemoYubikeys {
  readonly #db: Kysely<Tables>;
  readonly #keys: KeyStore;

  constructor(db: Kysely<Tables>, keys: KeyStore) {
    this.#db = db;
    this.#keys = keys;
  }

  async make(): Promise<string> {
    let yubikey: SoftYubikey;
    do {
      const letters = new SoftYubikey().publicId.slice(DEMO_PUBLIC_ID.length);
      yubikey = new SoftYubikey({ publicId: DEMO_PUBLIC_ID + letters });
    } while (!(await this.#keys.add(yubikey)));
    await this.#db
      .insertInto('demo_yubikeys')
      .values({
        public_id: yubikey.publicId,
        state: JSON.stringify(yubikey),
        last_otp: null,
        touched_at: null,
        made_at: new Date().toISOString(),
      })
      .execute();
    return yubikey.publicId;
  }

  /** The keys of the account or, before sign-in, some of all accounts: a real app would not reveal these. */
  async list(account: Account | undefined): Promise<DemoKey[]> {
    let query = this.#db
      .selectFrom('demo_yubikeys as yubikey')
      .innerJoin('account_keys as key', 'key.public_id', 'yubikey.public_id')
      .innerJoin('accounts as owner', 'owner.id', 'key.account_id')
      .select(['yubikey.public_id', 'key.name', 'owner.name as owner'])
      .orderBy('yubikey.made_at')
      .limit(MAX_SHOWN);
    if (account) query = query.where('owner.id', '=', account.id);
    const rows = await query.execute();
    return rows.map((row) => ({ publicId: row.public_id, label: `${row.owner}’s ${row.name}` }));
  }

  /** The public ID of a key that belongs to no account; creates one if necessary. */
  async findFresh(): Promise<string> {
    const row = await this.#db
      .selectFrom('demo_yubikeys as yubikey')
      .select('yubikey.public_id')
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('account_keys as key')
              .select('key.public_id')
              .whereRef('key.public_id', '=', 'yubikey.public_id'),
          ),
        ),
      )
      .orderBy('yubikey.made_at')
      .executeTakeFirst();
    return row?.public_id ?? this.make();
  }

  /** Touches a key and returns its OTP, or undefined if there is no such key. */
  async press(publicId: string): Promise<string | undefined> {
    for (;;) {
      const row = await this.#db
        .selectFrom('demo_yubikeys')
        .select('state')
        .where('public_id', '=', publicId)
        .executeTakeFirst();
      if (!row) return undefined;
      const yubikey = SoftYubikey.fromJSON(JSON.parse(row.state));
      const otp = yubikey.press();
      const { numUpdatedRows } = await this.#db
        .updateTable('demo_yubikeys')
        .set({ state: JSON.stringify(yubikey), last_otp: otp, touched_at: new Date().toISOString() })
        .where('public_id', '=', publicId)
        .where('state', '=', row.state)
        .executeTakeFirst();
      // Otherwise another request touched the key at the same time: try again.
      if (numUpdatedRows === 1n) return otp;
    }
  }

  /** The latest OTP, as an eavesdropper would send it again. */
  async replay(): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('demo_yubikeys')
      .select('last_otp')
      .where('touched_at', 'is not', null)
      .orderBy('touched_at', 'desc')
      .executeTakeFirst();
    return row?.last_otp ?? undefined;
  }
}
