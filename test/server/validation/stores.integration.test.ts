import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryStore, PostgresStore, RedisStore, SqliteStore } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import { CLIENT, newNonce, readStatus, Service, signed } from '../../support/server/validation/service.js';
import { missingPostgres, PostgresServer } from '../../support/servers/postgres.js';
import { RedisServer } from '../../support/servers/redis.js';
import { redisClients } from '../../support/stores/redis-clients.js';

const INJECTIONS = [
  "' OR '1'='1",
  "87' OR '1'='1' --",
  "87'; DROP TABLE clients; --",
  '87); DELETE FROM yubikeys; --',
  "'||(SELECT hex(aes_key) FROM yubikeys)||'",
  '$1; SELECT pg_sleep(10)',
  '%',
  '_',
  '*',
  '\\',
  '"',
  '87\r\nFLUSHALL\r\n',
  "'; redis.call('FLUSHALL') --",
  '*1\r\n$8\r\nFLUSHALL\r\n',
  '{87}',
  '__proto__',
  'constructor',
];
const PARAMETERS = ['id', 'otp', 'nonce', 'h', 'sl', 'timeout', 'timestamp', 'unknown'];

function describeOver(
  name: string,
  open: () => Promise<{ store: Service['store']; close(): unknown }>,
): void {
  describe(`over ${name}`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let service: Service;
    beforeAll(async () => {
      opened = await open();
      service = await Service.start({ store: opened.store });
    });
    afterAll(async () => {
      await service?.close();
      await opened?.close();
    });

    it('database commands in parameters are ordinary text', async () => {
      const { keys, clients, counters } = service.store;
      const first = service.fields();
      expect(readStatus(await service.get(first))).toBe('OK');
      const everything = async () => [
        await keys.list(),
        await clients.list(),
        await counters.get(service.yubikey.publicId),
      ];
      const before = await everything();
      for (const parameter of PARAMETERS) {
        for (const text of INJECTIONS) {
          for (const value of [text, (first[parameter] ?? '1') + text]) {
            const request = { ...first, nonce: newNonce(), [parameter]: value };
            for (const fields of [request, signed(request)]) {
              const status = readStatus(await service.get(fields));
              expect(status, `${parameter}=${value}`).toMatch(
                /^(REPLAYED_OTP|BAD_OTP|BAD_SIGNATURE|MISSING_PARAMETER)$/,
              );
            }
          }
        }
      }
      expect(await everything()).toEqual(before);
      expect(readStatus(await service.get(signed(service.fields())))).toBe('OK');
      expect(readStatus(await service.get(first))).toBe('REPLAYED_OTP');
    });

    it('one OTP in fifty simultaneous requests, each with its own nonce, is OK once', async () => {
      for (let again = 0; again < 3; again++) {
        const otp = service.yubikey.press();
        const replies = await Promise.all(
          Array.from({ length: 50 }, (_, at) => {
            const fields = service.fields({ otp });
            return at % 2 ? service.get(signed(fields)) : service.post(fields);
          }),
        );
        const statuses = replies.map(readStatus);
        expect(statuses.filter((status) => status === 'OK')).toHaveLength(1);
        expect(statuses.filter((status) => status === 'REPLAYED_OTP')).toHaveLength(49);
      }
    });

    it('one request sent fifty times simultaneously is OK once, and otherwise REPLAYED_REQUEST', async () => {
      const fields = signed(service.fields());
      const replies = await Promise.all(Array.from({ length: 50 }, () => service.get(fields)));
      const statuses = replies.map(readStatus);
      expect(statuses.filter((status) => status === 'OK')).toHaveLength(1);
      expect(statuses.filter((status) => status === 'REPLAYED_REQUEST')).toHaveLength(49);
    });

    it('fifty simultaneous requests each get their own answer', async () => {
      const requests = Array.from({ length: 50 }, () => service.fields()).reverse();
      const replies = await Promise.all(requests.map((fields) => service.get(fields)));
      replies.forEach(({ text }, at) => {
        expect(text).toContain(`otp=${requests[at]?.otp}\r\nnonce=${requests[at]?.nonce}\r\n`);
      });
      expect(replies.map(readStatus)).toContain('OK');
    });

    it('a client that is disabled is NO_SUCH_CLIENT from then on', async () => {
      const { clients } = service.store;
      const client = await clients.get(CLIENT.id);
      expect(await clients.replace(client as NonNullable<typeof client>, { active: false })).toBe(true);
      const fields = service.fields();
      expect(readStatus(await service.get(signed(fields)))).toBe('NO_SUCH_CLIENT');
      const disabled = await clients.get(CLIENT.id);
      await clients.replace(disabled as NonNullable<typeof client>, { active: true });
      expect(readStatus(await service.get(signed(fields)))).toBe('OK');
    });
  });
}

describeOver('memory', async () => ({ store: new MemoryStore(), close: () => undefined }));

describeOver('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'validation-'));
  const database = new Database(join(folder, 'yubikey.db'));
  const store = new SqliteStore({ database });
  await store.migrate();
  const close = () => {
    database.close();
    rmSync(folder, { recursive: true });
  };
  return { store, close };
});

describeWith('PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  afterAll(() => server?.stop());

  describeOver('PostgreSQL', async () => {
    server = await PostgresServer.start();
    const pool = server.pool();
    const store = new PostgresStore({ pool });
    await store.migrate();
    return { store, close: () => pool.end() };
  });
});

describeWith('Redis', ['redis-server'], () => {
  let server: RedisServer;
  afterAll(() => server?.stop());

  describeOver('Redis', async () => {
    server = await RedisServer.start();
    const client = await redisClients.redis?.(server.url);
    if (!client) throw new Error('no client');
    const store = new RedisStore({ sendCommand: client.sendCommand });
    await store.migrate();
    return { store, close: () => client.close() };
  });
});
