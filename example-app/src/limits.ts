import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import ipaddr from 'ipaddr.js';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { currentAccount } from './accounts/account.js';
import type { Redis } from './redis.js';

/** Goes around a form in which something could be guessed. */
export interface Limit {
  /** Before the check: counts the attempt, so that many at once are counted too. */
  attempt: RequestHandler;
  /** Behind the check: what was right was no guess. */
  succeeded: RequestHandler;
}

export interface Limits {
  password: Limit;
  yubikey: Limit;
  keyAlone: Limit;
  recovery: Limit;
  signUp: Limit;
}

/** For the error handler, which says when to come back. */
export class TooManyAttempts extends Error {
  override readonly name = 'TooManyAttempts';
  readonly status = 429;

  constructor(readonly retryAfterSeconds: number) {
    super('Too many attempts');
  }
}

const WINDOW_SECONDS = 15 * 60;

/**
 * No account is ever locked: what is counted is one account's attempts *from one address*, so whoever guesses
 * at it keeps only himself out. An address as a whole has a wider limit, since many people may share it.
 * With Redis all instances count together.
 */
export function createLimits(redis: Redis | undefined): Limits {
  const limit = (name: string, perAddress: number, perAccount?: PerAccount) =>
    createLimit(redis, name, perAddress, perAccount);
  const ownAccount = (req: Request) => currentAccount(req).id;
  const typedName = (req: Request) =>
    String(req.body?.username ?? '')
      .normalize('NFKC')
      .toLowerCase();
  return {
    password: limit('password', 200, { attempts: 10, account: typedName }),
    yubikey: limit('yubikey', 300, { attempts: 30, account: ownAccount }),
    recovery: limit('recovery', 100, { attempts: 10, account: ownAccount }),
    keyAlone: limit('key-alone', 40),
    signUp: limit('sign-up', 40),
  };
}

interface PerAccount {
  attempts: number;
  account(req: Request): string;
}

function createLimit(
  redis: Redis | undefined,
  name: string,
  perAddress: number,
  perAccount?: PerAccount,
): Limit {
  const addresses = createAttemptCounter(redis, `${name}:address`, perAddress);
  const accounts = perAccount && createAttemptCounter(redis, `${name}:account`, perAccount.attempts);
  const accountKey = (req: Request) =>
    createHash('sha256')
      .update(`${countedAddress(req)} ${perAccount?.account(req)}`)
      .digest('base64url');
  return {
    async attempt(req, _res, next) {
      if (accounts) await countAttempt(accounts, accountKey(req));
      await countAttempt(addresses, countedAddress(req));
      next();
    },
    async succeeded(req, _res, next) {
      await accounts?.delete(accountKey(req));
      await addresses.reward(countedAddress(req));
      next();
    },
  };
}

function createAttemptCounter(redis: Redis | undefined, name: string, points: number): RateLimiterAbstract {
  const options = { keyPrefix: `example-app:limit:${name}`, points, duration: WINDOW_SECONDS };
  return redis
    ? new RateLimiterRedis({ ...options, storeClient: redis, useRedisPackage: true })
    : new RateLimiterMemory(options);
}

async function countAttempt(counter: RateLimiterAbstract, key: string): Promise<void> {
  try {
    await counter.consume(key);
  } catch (reason) {
    if (reason instanceof RateLimiterRes) throw new TooManyAttempts(Math.ceil(reason.msBeforeNext / 1000));
    throw reason;
  }
}

/** Of IPv6, the network: one subscriber has as many addresses in it as he likes. */
function countedAddress({ ip = '' }: Request): string {
  if (!ipaddr.isValid(ip)) return '';
  const address = ipaddr.process(ip);
  return address.kind() === 'ipv4'
    ? address.toString()
    : (address as ipaddr.IPv6).parts.slice(0, 4).join(':');
}
