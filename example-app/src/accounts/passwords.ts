import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { DEMO_USER } from '../database/demo-user.js';

interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and about a tenth of a second: as much work for an attacker as N = 2^17 with p = 1. */
const COST: ScryptCost = { N: 2 ** 15, r: 8, p: 3 };
const HASH_LENGTH = 32;

/** Hashes passwords. Each hash includes its cost, so that the cost can be raised without locking anybody out. */
export class Passwords {
  readonly #cost: ScryptCost;

  constructor(cost = COST) {
    this.#cost = cost;
  }

  async hash(password: string): Promise<string> {
    const salt = randomBytes(16);
    return this.#format(salt, await derive(password, salt, this.#cost));
  }

  /** A hash that no password matches, and that takes as long to check as a real one. */
  unmatchableHash(): string {
    return this.#format(randomBytes(16), randomBytes(HASH_LENGTH));
  }

  async matches(password: string, stored: string): Promise<boolean> {
    const [, N, r, p, salt = '', hash = ''] = stored.split('$');
    const cost = { N: Number(N), r: Number(r), p: Number(p) };
    const derived = await derive(password, Buffer.from(salt, 'base64'), cost);
    return timingSafeEqual(derived, Buffer.from(hash, 'base64'));
  }

  #format(salt: Buffer, hash: Buffer): string {
    const { N, r, p } = this.#cost;
    return ['scrypt', N, r, p, salt.toString('base64'), hash.toString('base64')].join('$');
  }
}

/** One encoding for passwords that look the same, since keyboards compose accents differently. */
function normalise(password: string): string {
  return password.normalize('NFKC');
}

function derive(password: string, salt: Buffer, cost: ScryptCost): Promise<Buffer> {
  const options = { ...cost, maxmem: 64 * 2 ** 20 };
  return new Promise((resolve, reject) => {
    scrypt(normalise(password), salt, HASH_LENGTH, options, (error, hash) =>
      error ? reject(error) : resolve(hash),
    );
  });
}

/** Only the length matters: at least 8 characters, and not so many that hashing them burdens the server. */
export function isGoodPassword(typed: unknown): typed is string {
  return typeof typed === 'string' && typed.length >= 8 && typed.length <= 1000;
}

/** The demo's public password. Nobody may sign up with it: an app that has the demo's user does not start again. */
export function isDemoPassword(typed: string): boolean {
  return normalise(typed) === DEMO_USER.password;
}
