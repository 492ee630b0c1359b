import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisStore, type SendCommand } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import { RedisServer } from '../../support/servers/redis.js';
import { redisClients } from '../../support/stores/redis-clients.js';
import { withSealedSecrets } from '../../support/stores/seal.js';
import { describeStore, describeStoreSmoke } from '../../support/stores/store-contract.js';

describeWith('Redis', ['redis-server'], () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  }, 60_000);
  afterAll(() => server?.stop());

  for (const [name, connect] of Object.entries(redisClients)) {
    const open = async () => {
      const client = await connect(server.url);
      const store = new RedisStore({ sendCommand: client.sendCommand, prefix: `${Math.random()}:` });
      await store.migrate();
      const { keys, clients, counters } = store;
      return { keys, clients, counters, close: async () => void (await client.close()) };
    };
    describeStore(`RedisStore through ${name}`, open);
    describeStoreSmoke(`RedisStore through ${name}, sealed`, withSealedSecrets(open));
  }

  async function withServer(
    settings: string[],
    body: (options: { sendCommand: SendCommand }) => Promise<void>,
  ) {
    const other = await RedisServer.start(settings);
    const client = await redisClients.redis?.(other.url);
    if (!client) throw new Error('no client');
    try {
      await body({ sendCommand: client.sendCommand });
    } finally {
      await client.close();
      await other.stop();
    }
  }

  it('reports durability with appendfsync=always', async () => {
    await withServer(RedisServer.DURABLE, async (options) => {
      const durability = await new RedisStore(options).migrate();
      expect(durability).toMatchObject({ durable: true });
      expect(durability.statement).toContain('appendfsync=always');
    });
  });

  it('reports that one second can be lost with appendfsync=everysec', async () => {
    await withServer(['--appendonly', 'yes', '--appendfsync', 'everysec'], async (options) => {
      const durability = await new RedisStore(options).migrate();
      expect(durability).toMatchObject({ durable: false });
      expect(durability.statement).toContain('the last second');
      expect(durability.statement).toContain('accepted again');
    });
  });

  it('reports what a rewrite can lose with no-appendfsync-on-rewrite=yes, even with appendfsync=always', async () => {
    await withServer([...RedisServer.DURABLE, '--no-appendfsync-on-rewrite', 'yes'], async (options) => {
      const durability = await new RedisStore(options).migrate();
      expect(durability).toMatchObject({ durable: false });
      expect(durability.statement).toContain('no-appendfsync-on-rewrite=yes');
      expect(durability.statement).toContain('accepted again');
    });
  });

  it('promises no durability if CONFIG is not allowed', async () => {
    await withServer(RedisServer.DURABLE, async ({ sendCommand }) => {
      const hosted: SendCommand = async (key, command) => {
        if (command[0] === 'CONFIG') throw new Error("ERR unknown command 'CONFIG'");
        return sendCommand(key, command);
      };
      const durability = await new RedisStore({ sendCommand: hosted }).migrate();
      expect(durability).toMatchObject({ durable: false });
      expect(durability.statement).toContain('appendfsync=unknown');
    });
  });

  it('refuses a server without an append-only file, unless replays after a crash are allowed', async () => {
    await withServer(['--appendonly', 'no'], async (options) => {
      await expect(new RedisStore(options).migrate()).rejects.toMatchObject({ code: 'STORE_NOT_DURABLE' });
      const allowing = new RedisStore({ ...options, allowReplayAfterCrash: true });
      expect(await allowing.migrate()).toMatchObject({ durable: false });
    });
  });

  it('refuses a server that evicts keys', async () => {
    await withServer([...RedisServer.DURABLE, '--maxmemory-policy', 'allkeys-lru'], async (options) => {
      await expect(new RedisStore(options).migrate()).rejects.toThrow('noeviction');
    });
  });

  it('refuses contents of a newer version, and calls before migrate()', async () => {
    await withServer(RedisServer.DURABLE, async (options) => {
      const store = new RedisStore(options);
      await expect(store.counters.get('vv')).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
      await options.sendCommand('yubikey-otp:schema', ['SET', 'yubikey-otp:schema', '999']);
      await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    });
  });

  it('probes with a write, and rejects if it fails', async () => {
    await withServer(RedisServer.DURABLE, async (options) => {
      const store = new RedisStore(options);
      await expect(store.probe()).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
      await store.migrate();
      const keys = await options.sendCommand(undefined, ['DBSIZE']);
      await store.probe();
      expect(await options.sendCommand(undefined, ['DBSIZE'])).toBe(Number(keys) + 1);
      await options.sendCommand(undefined, ['CONFIG', 'SET', 'maxmemory', '1']);
      await expect(store.probe()).rejects.toMatchObject({ code: 'STORE_FAILED' });
      await options.sendCommand(undefined, ['CONFIG', 'SET', 'maxmemory', '0']);
      await expect(store.probe()).resolves.toBeUndefined();
    });
  });

  it('still refuses accepted OTPs after the server was killed', async () => {
    const client = await redisClients.ioredis?.(server.url);
    if (!client) throw new Error('no client');
    const store = new RedisStore({ sendCommand: client.sendCommand });
    await store.migrate();
    const counters = { usageCounter: 7, sessionUse: 0, timestamp: 0 };
    expect(await store.counters.advance('vvvv', counters)).toMatchObject({ advanced: true });
    await server.halt('SIGKILL');
    await server.run();
    await expect
      .poll(() => store.counters.advance('vvvv', counters).catch(() => undefined), { timeout: 10_000 })
      .toEqual({ advanced: false, reason: 'REPLAYED_OTP' });
    await client.close();
  });
});
