import { afterAll, beforeAll, describe } from 'vitest';
import { describeWith } from '../programs.js';
import { missingPostgres, PostgresServer } from '../servers/postgres.js';
import { RedisServer } from '../servers/redis.js';
import { temporaryFile } from '../stores/sqlite-drivers.js';

/** Runs the same tests with each store that processes can share. `newUrl` returns the URL of an empty one. */
export function describeSharedStores(name: string, body: (newUrl: () => Promise<string>) => void): void {
  describe(`${name} on a SQLite file`, () => body(async () => `sqlite:${temporaryFile()}`));
  describe(`${name} on a SQLite file, in threads`, () =>
    body(async () => `sqlite-threads:${temporaryFile()}`));

  describeWith(`${name} on PostgreSQL`, missingPostgres, () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await PostgresServer.start();
    });
    afterAll(() => server?.stop());
    body(() => server.newDatabase());
  });

  describeWith(`${name} on Redis`, ['redis-server'], () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await RedisServer.start();
    });
    afterAll(() => server?.stop());
    body(async () => server.url);
  });
}
