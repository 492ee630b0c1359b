import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

/** 32 MiB and about a tenth of a second: as slow for a thief of the database as N = 2^17 with p = 1. */
const COST = { N: 2 ** 15, r: 8, p: 3 };
const HASH_LENGTH = 32;

/** The cost is kept with each hash, so that it can be raised without locking anybody out. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return format(salt, await derive(password, salt, COST));
}

/** What no password has, and takes as long to compare with. */
export function hashOfNothing(): string {
  return format(randomBytes(16), randomBytes(HASH_LENGTH));
}

export async function isPassword(password: string, stored: string): Promise<boolean> {
  const [, N, r, p, salt = '', hash = ''] = stored.split('$');
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const derived = await derive(password, Buffer.from(salt, 'base64'), cost);
  return timingSafeEqual(derived, Buffer.from(hash, 'base64'));
}

function format(salt: Buffer, hash: Buffer): string {
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), hash.toString('base64')].join('$');
}

function derive(password: string, salt: Buffer, cost: ScryptOptions): Promise<Buffer> {
  const options = { ...cost, maxmem: 64 * 2 ** 20 };
  return new Promise((resolve, reject) => {
    // One spelling for what looks the same: keyboards differ in how they compose accents.
    scrypt(password.normalize('NFKC'), salt, HASH_LENGTH, options, (error, hash) =>
      error ? reject(error) : resolve(hash),
    );
  });
}

/** Long enough; and short enough not to be work for the server. No rule about what is in it makes it better. */
export function isGoodPassword(typed: unknown): typed is string {
  return typeof typed === 'string' && typed.length >= 8 && typed.length <= 1000;
}
