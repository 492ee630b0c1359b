import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { YubikeyError } from '../../../src/errors.js';
import { RedisStore, type SendCommand } from '../../../src/stores/index.js';
import { describeWith } from '../programs.js';
import { LossyProxy } from '../servers/lossy-proxy.js';
import { RedisServer } from '../servers/redis.js';
import { connectIoredis, type RedisClient, redisClients } from './redis-clients.js';

const NONCE = 'n'.repeat(16);
const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 3, timestamp: 4 });
const KEY = { publicId: 'vvcbdefghijk', aesKey: Buffer.alloc(16, 1), privateId: Buffer.alloc(6, 2) };
const CHANGE = { notes: 'changed' };

const connectors = {
  ioredis: connectIoredis,
  redis: redisClients.redis as (url: string) => Promise<RedisClient>,
};

/** Whether Redis knows a script already. */
const scripts: Record<string, (sendCommand: SendCommand) => SendCommand> = {
  known: (sendCommand) => sendCommand,
  unknown:
    (sendCommand) =>
    (key, [name = '', ...rest]) =>
      sendCommand(key, name === 'EVALSHA' ? [name, '0'.repeat(40), ...rest.slice(1)] : [name, ...rest]),
};

const settleCall = (call: Promise<unknown>) =>
  call.catch((error) => (error instanceof YubikeyError ? error.code : error));

interface Write {
  prepare(store: RedisStore): Promise<unknown>;
  run(store: RedisStore): Promise<unknown>;
  /** The result of the write. */
  done: unknown;
  /** The result of the same call if the first one took effect. */
  again: unknown;
}

const advance = (store: RedisStore, usageCounter: number, nonce?: string) =>
  store.counters.advance('vv', counters(usageCounter), nonce);

const writes: Record<string, Write> = {
  'the first OTP of a key': {
    prepare: async () => undefined,
    run: (store) => advance(store, 1, NONCE),
    done: { advanced: true, current: expect.objectContaining({ acceptedCount: 1 }), previous: undefined },
    again: { advanced: false, reason: 'REPLAYED_REQUEST' },
  },
  'a further OTP of a key': {
    prepare: async (store) => {
      await advance(store, 1);
      await advance(store, 2);
    },
    run: (store) => advance(store, 3),
    done: {
      advanced: true,
      current: expect.objectContaining({ ...counters(3), acceptedCount: 3 }),
      previous: expect.objectContaining({ ...counters(2), acceptedCount: 2 }),
    },
    again: { advanced: false, reason: 'REPLAYED_OTP' },
  },
  'a key that is added': {
    prepare: async () => undefined,
    run: (store) => store.keys.add(KEY),
    done: true,
    again: false,
  },
  'a key that is replaced': {
    prepare: (store) => store.keys.add(KEY),
    run: async (store) => {
      const known = await store.keys.get(KEY.publicId);
      return known?.notes === CHANGE.notes ? false : store.keys.replace(known as never, CHANGE);
    },
    done: true,
    again: false,
  },
};

/**
 * Tests every write with its answer or its command cut off after some number of bytes: after every number if the answer
 * to a known script comes through `ioredis`, and after each `step`th one otherwise.
 */
export function describeCuts(step: number): void {
  describeWith('RedisStore over a connection that breaks', ['redis-server'], () => describeAllCuts(step));
}

function describeAllCuts(step: number): void {
  let server: RedisServer;
  let direct: RedisClient;
  let prefixes = 0;
  beforeAll(async () => {
    server = await RedisServer.start();
    direct = await connectIoredis(server.url);
  }, 60_000);
  afterAll(async () => {
    await direct?.close();
    await server?.stop();
  });

  async function open(sendCommand: SendCommand, prefix = `${++prefixes}:`): Promise<RedisStore> {
    const store = new RedisStore({ sendCommand, prefix, timeout: 20_000 });
    await store.migrate();
    return store;
  }

  /** Runs a write over a connection that the proxy breaks, and then again over a working one. */
  async function cutAt(
    { prepare, run }: Write,
    connect: (url: string) => Promise<RedisClient>,
    cut: (proxy: LossyProxy) => void,
    changed: (sendCommand: SendCommand) => SendCommand,
  ) {
    const proxy = await LossyProxy.start(server.port);
    const client = await connect(`redis://127.0.0.1:${proxy.port}`);
    const prefix = `${++prefixes}:`;
    const sound = await open(direct.sendCommand, prefix);
    await prepare(sound);
    const store = await open(changed(client.sendCommand), prefix);
    proxy.takePassed();
    proxy.takeAsked();
    cut(proxy);
    const first = await settleCall(run(store));
    const [answered, asked] = [proxy.takePassed(), proxy.takeAsked()];
    const second = await settleCall(run(sound));
    await client.close();
    await proxy.stop();
    return { first, second, answered, asked };
  }

  describe.each(Object.entries(connectors))('through %s', (name, connect) => {
    // `redis` resends nothing, so a call that was cut off rejects.
    const faults = name === 'redis' ? ['ANSWER_LOST', 'STORE_FAILED'] : [];

    describe.each(Object.entries(scripts))('with a script that is %s to Redis', (script, changed) => {
      async function cutAtEach(write: Write, cuts: readonly number[], how: 'cutAfter' | 'cutRequestsAfter') {
        for (let n = 0; n < cuts.length; n += AT_ONCE) {
          const outcomes = cuts.slice(n, n + AT_ONCE).map(async (bytes) => {
            const { first, second } = await cutAt(write, connect, (proxy) => proxy[how](bytes), changed);
            const said = `after ${bytes} bytes`;
            expect([write.done, ...faults], said).toContainEqual(first);
            if (first === 'STORE_FAILED') expect(second, said).toEqual(write.done);
            else if (first === 'ANSWER_LOST') expect([write.done, write.again], said).toContainEqual(second);
            else expect(second, said).toEqual(write.again);
          });
          await Promise.all(outcomes);
        }
      }

      it.each(Object.entries(writes))('%s, its answer cut', async (_, write) => {
        const { first, answered } = await cutAt(write, connect, () => undefined, changed);
        expect(first).toEqual(write.done);
        const every = name === 'ioredis' && script === 'known' ? 1 : step;
        await cutAtEach(write, countsTo(answered, every), 'cutAfter');
      });

      it.each(Object.entries(writes))('%s, its command cut', async (_, write) => {
        const { asked } = await cutAt(write, connect, () => undefined, changed);
        await cutAtEach(write, countsTo(asked, 7 * step), 'cutRequestsAfter');
      });
    });
  });
}

const AT_ONCE = 100;

/** From 0 to `last`, inclusive. */
const countsTo = (last: number, step: number) => [
  ...Array.from({ length: Math.ceil(last / step) }, (_, n) => n * step),
  last,
];
