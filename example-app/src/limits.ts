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

/** Middleware before and after the check of a form whose input could be guessed. */
interface Limit {
  /** Before the check: counts the attempt, so that simultaneous attempts count too. */
  attempt: RequestHandler;
  /** After a successful check: a correct input does not count as an attempt. */
  succeeded: RequestHandler;
}

export interface Limits {
  password: Limit;
  yubikey: Limit;
  keyAlone: Limit;
  recovery: Limit;
  signUp: Limit;
}

/** The error handler tells the visitor when to try again. */
class TooManyAttempts extends Error {
  override readonly name = 'TooManyAttempts';
  readonly status = 429;

  constructor(readonly retryAfterSeconds: number) {
    super('Too many attempts');
  }
}

const WINDOW_SECONDS = 15 * 60;

/**
 * No account is ever locked. Attempts are counted per account *and address*, so guessing locks out
 * only the guesser. Each address also has a higher limit of its own, since many people may share it. With Redis, all
 * instances count together.
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

/** The IPv4 address, or the /64 network of an IPv6 address: one subscriber can use all addresses in it. */
function countedAddress({ ip = '' }: Request): string {
  if (!ipaddr.isValid(ip)) return '';
  const address = ipaddr.process(ip);
  return address.kind() === 'ipv4'
    ? address.toString()
    : (address as ipaddr.IPv6).parts.slice(0, 4).join(':');
}
