import { createHash } from 'node:crypto';
import LibsqlDatabase from 'libsql';
import { encodeModhex } from 'passport-yubikey-otp/protocol';
import { type KeyStore, type NewKey, parseKeyring, SealedKeyStore } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import pg from 'pg';
import type { ServiceDatabase } from '../service/database.js';

const CHUNK = 5_000;
const COLUMNS = 'id, aes_key, private_id, notes, active, created_at, revision';

/** Derives the key with a number. Public IDs are spread like those of real keys. */
export function benchmarkKey(number: number): {
  publicId: string;
  aesKey: Uint8Array;
  privateId: Uint8Array;
} {
  const digest = createHash('sha256').update(`benchmark key ${number}`).digest();
  const id = (BigInt(number) * 0x9e_3779_b97fn) & 0xff_ffff_ffffn;
  return {
    publicId: `vv${encodeModhex(Buffer.from(id.toString(16).padStart(10, '0'), 'hex'))}`,
    aesKey: digest.subarray(0, 16),
    privateId: digest.subarray(16, 22),
  };
}

/** Returns `count` virtual YubiKeys, spread over the keys from 0 to `of`. */
export function someYubikeys(count: number, of: number): SoftYubikey[] {
  return Array.from(
    { length: count },
    (_, at) => new SoftYubikey(benchmarkKey(Math.floor((at * of) / count))),
  );
}

/** Adds the keys from 0 to `count` to a migrated database: sealed as usual, but many in one statement. */
export async function fill({ env }: ServiceDatabase, count: number): Promise<void> {
  const { YUBIKEY_DB = '', YUBIKEY_MASTER_KEY = '' } = env;
  let rows: Row[] = [];
  const collect = {
    async add({ publicId, aesKey }: NewKey) {
      rows.push([publicId, aesKey]);
      return true;
    },
  };
  const sealed = new SealedKeyStore(collect as KeyStore, parseKeyring(YUBIKEY_MASTER_KEY));
  const isPostgres = YUBIKEY_DB.startsWith('postgres:');
  const writer = isPostgres ? await postgresWriter(YUBIKEY_DB) : sqliteWriter(YUBIKEY_DB);
  for (let number = 0; number < count; number++) {
    await sealed.add(benchmarkKey(number));
    if (rows.length < CHUNK && number < count - 1) continue;
    await writer.write(rows);
    rows = [];
  }
  await writer.end();
}

type Row = readonly [id: string, sealed: Uint8Array];

interface Writer {
  write(rows: readonly Row[]): Promise<void>;
  end(): Promise<void>;
}

function sqliteWriter(path: string): Writer {
  const database = new LibsqlDatabase(path);
  database.exec('PRAGMA synchronous = OFF');
  const insert = database.prepare(
    `INSERT INTO yubikey_keys (${COLUMNS}) VALUES (?, ?, NULL, '', 1, 0, ?) ON CONFLICT DO NOTHING`,
  );
  return {
    async write(rows) {
      database.exec('BEGIN');
      for (const [id, sealed] of rows) insert.run(id, sealed, id);
      database.exec('COMMIT');
    },
    async end() {
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      database.close();
    },
  };
}

async function postgresWriter(connectionString: string): Promise<Writer> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return {
    async write(rows) {
      await client.query(
        `INSERT INTO yubikey_keys (${COLUMNS})
         SELECT id, sealed, NULL, '', 1, 0, id FROM unnest($1::text[], $2::bytea[]) AS new (id, sealed)
         ON CONFLICT DO NOTHING`,
        [rows.map(([id]) => id), rows.map(([, sealed]) => sealed)],
      );
    },
    async end() {
      await client.query('VACUUM ANALYZE yubikey_keys');
      await client.query('CHECKPOINT');
      await client.end();
    },
  };
}
