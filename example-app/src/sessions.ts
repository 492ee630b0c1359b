import pgSession from 'connect-pg-simple';
import { RedisStore } from 'connect-redis';
import type { RequestHandler } from 'express';
import session, { type Store } from 'express-session';
import memorySession from 'memorystore';
import type { Pool } from 'pg';
import type { Config } from './config.js';
import type { Redis } from './redis.js';

const EIGHT_HOURS = 8 * 60 * 60 * 1000;

/** Sessions in Redis if there is one, else in PostgreSQL, else in memory, for a single instance. */
export function createSessionStore(shared: { redis: Redis | undefined; pool: Pool | undefined }): Store {
  if (shared.redis) return new RedisStore({ client: shared.redis, prefix: 'example-app:session:' });
  if (shared.pool) {
    const PgStore = pgSession(session);
    return new PgStore({ pool: shared.pool, createTableIfMissing: true });
  }
  const MemoryStore = memorySession(session);
  return new MemoryStore({ checkPeriod: EIGHT_HOURS });
}

export function sessionMiddleware(
  store: Store,
  { sessionSecret, production }: Pick<Config, 'sessionSecret' | 'production'>,
): RequestHandler[] {
  return [
    holdResponse,
    session({
      store,
      name: 'session',
      secret: sessionSecret,
      resave: false,
      saveUninitialized: false,
      cookie: { httpOnly: true, sameSite: 'lax', secure: production, maxAge: EIGHT_HOURS },
    }),
  ];
}

/**
 * Holds a response back until it is complete. express-session saves the session just before the last byte, but a
 * browser follows a redirect as soon as it has the headers: another instance would then read the session before it
 * is saved.
 *
 * Streams, such as files, are sent at once: they are not redirects, and a full buffer would block them for ever.
 */
const holdResponse: RequestHandler = (_req, res, next) => {
  res.cork();
  res.once('pipe', () => res.uncork());
  next();
};
