import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import LibsqlDatabase from 'libsql';
import { formatApiKey } from 'passport-yubikey-otp/protocol';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import type { SoftYubikey } from 'passport-yubikey-otp/testing';
import pg from 'pg';
import { CLIENT } from './requests.js';

/** The built command. */
export const MAIN = fileURLToPath(new URL('../../cli/dist/main.mjs', import.meta.url));

const SUM = 'SELECT coalesce(sum(accepted_count), 0) AS accepted FROM yubikey_counters';

/** The database of a service, set up with the command, as an operator would. */
export class ServiceDatabase {
  readonly env: Record<string, string>;

  readonly #where: string;

  /** @param where a SQLite file or a postgres: URL. */
  constructor(where: string, yubikeys: readonly SoftYubikey[]) {
    this.#where = where;
    this.env = { YUBIKEY_DB: where, YUBIKEY_MASTER_KEY: `bench:${newMasterKey().toString('base64')}` };
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    const keys = yubikeys.map(
      ({ publicId, privateId, aesKey }) => `0,${publicId},${hex(privateId)},${hex(aesKey)},,,`,
    );
    this.#run(['keys', 'import', '-'], `# ykksm 1\n${keys.join('\n')}\n`);
    this.#run(['clients', 'import', '-'], `${CLIENT.id},${formatApiKey(CLIENT.apiKey)}\n`);
  }

  /** Returns the number of OTPs accepted so far. */
  async accepted(): Promise<number> {
    if (this.#where.startsWith('postgres:')) {
      const client = new pg.Client({ connectionString: this.#where });
      await client.connect();
      const { rows } = await client.query(SUM);
      await client.end();
      return Number(rows[0].accepted);
    }
    const database = new LibsqlDatabase(this.#where);
    const [row] = database.prepare(SUM).all() as { accepted: number }[];
    database.close();
    return Number(row?.accepted);
  }

  #run(args: readonly string[], input: string): void {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
      input,
      env: { ...process.env, ...this.env },
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`yubikey-otp ${args.join(' ')}: ${stderr}`);
  }
}
