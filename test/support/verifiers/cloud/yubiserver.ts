import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SoftYubikey } from '../../../../src/testing/index.js';
import { freePort } from '../../programs.js';

/** An independent validation server: Debian's yubiserver, with its own port and database. */
export interface Yubiserver {
  readonly url: string;
  readonly clientId: string;
  readonly apiKey: string;
  stop(): void;
}

const EMPTY_DATABASE = '/etc/yubiserver/yubiserver.sqlite.init';

export async function startYubiserver(yubikeys: readonly SoftYubikey[]): Promise<Yubiserver> {
  const folder = mkdtempSync(join(tmpdir(), 'yubiserver-'));
  const database = join(folder, 'yubiserver.sqlite');
  copyFileSync(EMPTY_DATABASE, database);
  // If root starts it, it runs as its own user, who must be able to write here.
  chmodSync(folder, 0o777);
  chmodSync(database, 0o666);
  const admin = (...args: string[]) =>
    execFileSync('yubiserver-admin', ['-b', database, ...args], { encoding: 'utf8' });
  yubikeys.forEach(({ publicId, privateId, aesKey }, at) => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    admin('-y', '-a', `user${at}`, publicId, hex(privateId), hex(aesKey));
  });
  const printed = admin('-p', '-a', 'app', '12345678901234567890');
  const apiKey = /New API key for 'app': (\S+)/.exec(printed)?.[1] as string;
  const clientId = /API key ID is: (\d+)/.exec(printed)?.[1] as string;

  const port = await freePort();
  const log = join(folder, 'yubiserver.log');
  spawnSync('yubiserver', ['-d', database, '-p', String(port), '-l', log], { stdio: 'ignore' });
  await untilListening(port);
  return {
    url: `http://127.0.0.1:${port}/wsapi/2.0/verify`,
    clientId,
    apiKey,
    stop() {
      for (const id of processesWith(database)) process.kill(id, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Finds yubiserver's processes by the path of its database, because it moves itself into the background. */
function processesWith(argument: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && readCommandLine(name).includes(argument))
    .map(Number);
}

function readCommandLine(id: string): string[] {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await sleep(50);
  }
  throw new Error('yubiserver did not start');
}
