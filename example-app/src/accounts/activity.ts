import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { Tables } from '../database/tables.js';
import type { Account } from './account.js';

/** The events of an account, as worded on its activity page. */
export type ActivityEvent =
  | 'Signed up'
  | 'Gave the password'
  | 'Signed in with password and key'
  | 'Signed in with a key alone'
  | 'A key was refused'
  | 'Used a recovery code'
  | 'A recovery code was refused'
  | 'Added a key'
  | 'Removed a key'
  | 'Made new recovery codes'
  | 'Allowed to sign in with a key alone'
  | 'No longer allowed to sign in with a key alone'
  | 'Signed out';

export interface ActivityKey {
  publicId: string;
  name: string;
}

export interface ActivityEntry {
  at: string;
  event: string;
  publicId: string | null;
  keyName: string | null;
  address: string;
}

const MAX_SHOWN = 50;

/** Records what happened, when and with which key: in a table for the user, in the audit log for the operator. */
export class Activity {
  readonly #db: Kysely<Tables>;
  readonly #log: Logger;

  constructor(db: Kysely<Tables>, log: Logger) {
    this.#db = db;
    this.#log = log;
  }

  async record(req: Request, { id }: Account, event: ActivityEvent, key?: ActivityKey): Promise<void> {
    const address = req.ip ?? '';
    this.#log.info({ event, account: id, publicId: key?.publicId, address });
    await this.#db
      .insertInto('activity')
      .values({
        id: randomUUID(),
        account_id: id,
        at: new Date().toISOString(),
        event,
        public_id: key?.publicId ?? null,
        key_name: key?.name ?? null,
        address,
      })
      .execute();
  }

  /** Records an attempt without a proven account in the audit log only, so that strangers cannot fill the table. */
  recordStranger(req: Request, event: 'A password was refused' | 'A key alone was refused'): void {
    this.#log.warn({ event, address: req.ip });
  }

  async listLatest({ id }: Account): Promise<ActivityEntry[]> {
    const rows = await this.#db
      .selectFrom('activity')
      .selectAll()
      .where('account_id', '=', id)
      .orderBy('at', 'desc')
      .limit(MAX_SHOWN)
      .execute();
    return rows.map(({ at, event, address, ...row }) => ({
      at,
      event,
      publicId: row.public_id,
      keyName: row.key_name,
      address,
    }));
  }
}
