import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { formatApiKey } from 'passport-yubikey-otp/protocol';
import type { SoftYubikey } from 'passport-yubikey-otp/testing';
import { freePort } from '../../test/support/programs.js';
import { CLIENT } from './requests.js';
import { type Started, start } from './start.js';

const EMPTY_DATABASE = '/etc/yubiserver/yubiserver.sqlite.init';

export const hasYubiserver = existsSync(EMPTY_DATABASE);

/** Starts Debian's yubiserver with a new database, filled like yubiserver-admin does, but in one transaction. */
export async function startYubiserver(folder: string, yubikeys: readonly SoftYubikey[]): Promise<Started> {
  const home = join(folder, 'yubiserver');
  mkdirSync(home);
  const file = join(home, 'yubiserver.sqlite');
  copyFileSync(EMPTY_DATABASE, file);
  const database = new LibsqlDatabase(file);
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  database.exec('BEGIN');
  const add = database.prepare(
    "INSERT INTO yubikeys (nickname, publicname, created, internalname, aeskey, active) VALUES (?, ?, '', ?, ?, '1')",
  );
  for (const [at, { publicId, privateId, aesKey }] of yubikeys.entries()) {
    add.run(String(at), publicId, hex(privateId), hex(aesKey));
  }
  database
    .prepare('INSERT INTO apikeys (nickname, secret, id) VALUES (?, ?, ?)')
    .run('bench', formatApiKey(CLIENT.apiKey), Number(CLIENT.id));
  database.exec('COMMIT');
  database.close();
  // yubiserver switches to another user.
  for (const path of [folder, home]) chmodSync(path, 0o777);
  chmodSync(file, 0o666);
  const port = await freePort();
  const { url } = await start('yubiserver', ['-d', file, '-l', join(home, 'log'), '-p', String(port)], port);
  const pid = findPid(file);
  return { url, pid, stop: async () => stop(pid) };
}

/** Ignores a process that has already ended, so that the other servers are stopped too. */
function stop(pid: number): void {
  try {
    process.kill(pid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Finds the daemon: the started process has forked it and ended. */
function findPid(file: string): number {
  const has = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(file);
    } catch {
      return false;
    }
  };
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && has(name));
  if (pid === undefined) throw new Error('yubiserver has ended');
  return Number(pid);
}
