import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as IoRedis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { YubikeyError } from '../../../src/errors.js';
import { type KeyRecord, RedisStore, type SendCommand } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import { LossyProxy } from '../../support/servers/lossy-proxy.js';
import { RedisServer } from '../../support/servers/redis.js';
import { isPending, until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  connectIoredis,
  impatientClients,
  type RedisClient,
  redisClients,
} from '../../support/stores/redis-clients.js';

const TIMEOUT = 500;
/** Tolerance for a late event loop. */
const LATE = 5_000;
const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 0, timestamp: 0 });
const KEY = { publicId: 'vvcbdefghijk', aesKey: Buffer.alloc(16, 1), privateId: Buffer.alloc(6, 2) };
const KNOWN: KeyRecord = { ...KEY, notes: '', active: true, createdAt: new Date(), revision: 'r' };
const advanced = expect.objectContaining({ advanced: true });

/** The outcome of a call, and how many milliseconds it took. */
async function timeOutcome(call: Promise<unknown>): Promise<{ outcome: unknown; ms: number }> {
  const since = performance.now();
  const outcome = await call.catch((error) => (error instanceof YubikeyError ? error.code : error));
  return { outcome, ms: performance.now() - since };
}

/** Every call of a store, and the code it rejects with if Redis does not answer. */
const calls: [name: string, fault: string, call: (store: RedisStore) => Promise<unknown>][] = [
  ['keys.get', 'STORE_FAILED', ({ keys }) => keys.get('cc')],
  ['keys.list', 'STORE_FAILED', ({ keys }) => keys.list()],
  ['keys.replace', 'ANSWER_LOST', ({ keys }) => keys.replace(KNOWN, { notes: 'changed' })],
  ['keys.delete', 'ANSWER_LOST', ({ keys }) => keys.delete('cc')],
  ['counters.get', 'STORE_FAILED', (store) => store.counters.get('cc')],
  ['counters.list', 'STORE_FAILED', (store) => store.counters.list()],
  ['counters.advance', 'ANSWER_LOST', (store) => store.counters.advance('cc', counters(1))],
  ['probe', 'STORE_FAILED', (store) => store.probe()],
  ['migrate', 'STORE_FAILED', (store) => store.migrate()],
];

/** A store that is migrated through `sendCommand`, and then sends its commands through `instead`. */
async function openOver(
  { sendCommand }: { sendCommand: SendCommand },
  instead: SendCommand,
): Promise<RedisStore> {
  let send = sendCommand;
  const store = new RedisStore({
    sendCommand: (key, command) => send(key, command),
    prefix: `${Math.random()}:`,
    timeout: TIMEOUT,
  });
  await store.migrate();
  send = instead;
  return store;
}

describe('RedisStore', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5'])('refuses a timeout of %j', (timeout) => {
    const sendCommand = async () => undefined;
    expect(() => new RedisStore({ sendCommand, timeout: timeout as number })).toThrow(TypeError);
  });
});

describeWith('RedisStore over a client that', ['redis-server'], () => {
  let server: RedisServer;
  let client: RedisClient;
  beforeAll(async () => {
    server = await RedisServer.start();
    client = await connectIoredis(server.url);
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });

  describe('never answers', () => {
    const never = () => new Promise<never>(() => undefined);

    it.each(calls)('fails %s by the deadline with %s', async (_, fault, call) => {
      const store = await openOver(client, never);
      await withStoppedClock(async () => {
        const outcome = timeOutcome(call(store));
        vi.advanceTimersByTime(TIMEOUT - 1);
        expect(await isPending(outcome)).toBe(true);
        vi.advanceTimersByTime(1);
        expect(await outcome).toEqual({ outcome: fault, ms: TIMEOUT });
      });
    });

    it('fails keys.add with STORE_FAILED before it was sent, and with ANSWER_LOST afterwards', async () => {
      const before = await openOver(client, never);
      expect((await timeOutcome(before.keys.add(KEY))).outcome).toBe('STORE_FAILED');
      const after = await openOver(client, (key, command) =>
        command[0] === 'ZADD' ? client.sendCommand(key, command) : never(),
      );
      expect((await timeOutcome(after.keys.add(KEY))).outcome).toBe('ANSWER_LOST');
    });

    it('rejects an advance at once on abort: with ANSWER_LOST, or STORE_FAILED if nothing was sent', async () => {
      const sent: string[][] = [];
      const store = await openOver(client, (_, command) => {
        sent.push(command);
        return never();
      });
      const advance = (signal: AbortSignal) =>
        timeOutcome(store.counters.advance('cc', counters(1), undefined, undefined, signal));
      expect((await advance(AbortSignal.abort())).outcome).toBe('STORE_FAILED');
      expect(sent).toEqual([]);
      await withStoppedClock(async () => {
        const abort = new AbortController();
        const outcome = advance(abort.signal);
        await until(() => sent.length > 0);
        expect(await isPending(outcome)).toBe(true);
        abort.abort();
        expect((await outcome).outcome).toBe('ANSWER_LOST');
      });
    });

    it('is sent nothing more for a call that is over', async () => {
      const sent: string[][] = [];
      const store = await openOver(client, async (_, command) => {
        sent.push(command);
        await sleep(TIMEOUT + 100);
        throw new Error('NOSCRIPT No matching script. Please use EVAL.');
      });
      expect((await timeOutcome(store.keys.replace(KNOWN, {}))).outcome).toBe('ANSWER_LOST');
      await sleep(300);
      expect(sent.map(([name]) => name)).toEqual(['EVALSHA']);
    });

    it('is sent hardly anything until it answers again, or settles its commands', async () => {
      let stuck = 0;
      let isSilent = true;
      const settle: (() => void)[] = [];
      const store = await openOver(client, (key, command) => {
        if (!isSilent) return client.sendCommand(key, command);
        stuck++;
        return new Promise((_, reject) => settle.push(() => reject(new Error('closed'))));
      });
      const getMany = async (count: number) => {
        const outcomes = Array.from({ length: count }, () => timeOutcome(store.keys.get('cc')));
        return (await Promise.all(outcomes)).map(({ outcome }) => outcome);
      };
      await getMany(100);
      expect(stuck).toBe(100);
      for (let n = 0; n < 5; n++) expect(await getMany(1_000)).toEqual(Array(1_000).fill('STORE_FAILED'));
      expect(stuck).toBeLessThan(110);
      isSilent = false;
      for (const reject of settle) reject();
      await sleep(10);
      expect(await getMany(100)).toEqual(Array(100).fill(undefined));
    });

    it('is found to answer again by a command that is let through', async () => {
      let isSilent = true;
      const store = await openOver(client, (key, command) =>
        isSilent ? never() : client.sendCommand(key, command),
      );
      expect((await timeOutcome(store.keys.get('cc'))).outcome).toBe('STORE_FAILED');
      isSilent = false;
      expect(await store.keys.get('cc')).toBeUndefined();
      expect(await store.keys.list()).toMatchObject({ records: [] });
    });
  });

  it('settles after the deadline changes no outcome, and leaves no unhandled rejection', async () => {
    const store = await openOver(client, async () => {
      await sleep(TIMEOUT + 100);
      throw new Error('too late');
    });
    expect((await timeOutcome(store.counters.advance('cc', counters(1)))).outcome).toBe('ANSWER_LOST');
    await sleep(200);
  });

  describe.each([
    ['STORE_FAILED', new Error('The client is offline')],
    ['STORE_FAILED', new Error('The client is closed')],
    ['STORE_FAILED', new Error("Stream isn't writeable and enableOfflineQueue options is false")],
    ['STORE_FAILED', new Error('LOADING Redis is loading the dataset in memory')],
    ['STORE_FAILED', new Error('NOPERM this user has no permissions to run the command')],
    ['STORE_FAILED', new Error('ERR Error running script (call to f_1): @user_script:3: -OOM')],
    ['STORE_FAILED', replyError('OOM command not allowed. script: 0, on @user_script:1.')],
    ['STORE_FAILED', new Error("READONLY You can't write. script: 0, on @user_script:1.")],
    // In these cases, ioredis may have sent the command before, to a server that wrote.
    ['ANSWER_LOST', replyError('LOADING Redis is loading the dataset in memory')],
    ['ANSWER_LOST', replyError("READONLY You can't write. script: 0, on @user_script:1.")],
    ['ANSWER_LOST', replyError('CLUSTERDOWN The cluster is down')],
    ['ANSWER_LOST', replyError('MOVED 1 127.0.0.1:1')],
    ['ANSWER_LOST', new Error('ERR Connection timed out')],
    ['ANSWER_LOST', new Error('Socket closed unexpectedly')],
    ['ANSWER_LOST', new Error('Connection is closed.')],
    ['ANSWER_LOST', new Error('Command timed out')],
    ['ANSWER_LOST', new Error('read ECONNRESET')],
    ['ANSWER_LOST', undefined],
  ])('%s', (code, cause) => {
    it(`rejects with ${cause}`, async () => {
      const store = await openOver(client, () => Promise.reject(cause));
      for (const call of [
        store.counters.advance('cc', counters(1)),
        store.keys.replace(KNOWN, {}),
        store.keys.delete('cc'),
      ]) {
        await expect(call).rejects.toMatchObject({ code, cause });
      }
      await expect(store.keys.get('cc')).rejects.toMatchObject({ code: 'STORE_FAILED', cause });
    });
  });

  describe('is told by a script that nothing was written, after a first command was lost', () => {
    it('fails with STORE_FAILED', async () => {
      const store = await openOver(client, async (_, [name]) => {
        if (name === 'EVALSHA') throw replyError('NOSCRIPT No matching script.');
        throw replyError("OOM command not allowed. script: 0, on @user_script:1.'");
      });
      expect((await timeOutcome(store.keys.replace(KNOWN, {}))).outcome).toBe('STORE_FAILED');
    });

    it('but with ANSWER_LOST if the second command was not sent either', async () => {
      const store = await openOver(client, async (_, [name]) => {
        if (name === 'EVALSHA') throw replyError('NOSCRIPT No matching script.');
        throw new Error("Stream isn't writeable and enableOfflineQueue options is false");
      });
      expect((await timeOutcome(store.keys.replace(KNOWN, {}))).outcome).toBe('ANSWER_LOST');
    });
  });
});

function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

describeWith('RedisStore over a Redis that', ['redis-server'], () => {
  describe.each(Object.entries(impatientClients))('does not answer, through %s,', (_, connect) => {
    async function open() {
      const server = await RedisServer.start();
      const proxy = await LossyProxy.start(server.port);
      const client = await connect(`redis://127.0.0.1:${proxy.port}`, 2 * TIMEOUT);
      const store = new RedisStore({ sendCommand: client.sendCommand, timeout: TIMEOUT });
      onTestFinished(async () => {
        await client.close();
        await proxy.stop();
        await server.stop();
      });
      await store.migrate();
      await store.counters.advance('vv', counters(1));
      return { server, proxy, store };
    }

    async function expectFaults(store: RedisStore): Promise<void> {
      const all = [
        ...calls.map(([, , call]) => timeOutcome(call(store))),
        ...Array.from({ length: 100 }, (_, n) => timeOutcome(store.counters.advance(`v${n}`, counters(1)))),
        timeOutcome(store.counters.advance('vv', counters(2))),
      ];
      for (const { outcome, ms } of await Promise.all(all)) {
        expect(['STORE_FAILED', 'ANSWER_LOST']).toContain(outcome);
        expect(ms).toBeLessThan(TIMEOUT + LATE);
      }
    }

    /** Whether or not the OTP was accepted before, it is accepted at most once. */
    async function expectRecovery(store: RedisStore): Promise<void> {
      await expect
        .poll(() => timeOutcome(store.probe()), { timeout: 20_000 })
        .toMatchObject({ outcome: undefined });
      await store.counters.advance('vv', counters(2));
      expect(await store.counters.advance('vv', counters(2))).toMatchObject({ advanced: false });
      expect(await store.counters.advance('vv', counters(3))).toEqual(advanced);
    }

    it('because it is stopped', async () => {
      const { server, store } = await open();
      server.kill('SIGSTOP');
      await expectFaults(store);
      server.kill('SIGCONT');
      await expectRecovery(store);
    });

    it('because the connection is silent', async () => {
      const { proxy, store } = await open();
      proxy.silence();
      await expectFaults(store);
      proxy.listen();
      await expectRecovery(store);
    });

    it('because it was killed', async () => {
      const { server, store } = await open();
      await server.halt('SIGKILL');
      await expectFaults(store);
      await server.run();
      await expectRecovery(store);
    });
  });

  describe.each(Object.entries(redisClients))('cannot write, through %s,', (_, connect) => {
    async function open(spoil: (direct: IoRedis) => Promise<unknown>) {
      const server = await RedisServer.start();
      const client = await connect(server.url);
      const direct = new IoRedis(server.url);
      onTestFinished(async () => {
        direct.disconnect();
        await client.close();
        await server.stop();
      });
      const store = new RedisStore({ sendCommand: client.sendCommand });
      await store.migrate();
      await store.counters.advance('vv', counters(1));
      await spoil(direct);
      return { store, direct };
    }

    it.each<[string, (direct: IoRedis) => Promise<unknown>, (direct: IoRedis) => Promise<unknown>]>([
      [
        'memory is short',
        (it) => it.config('SET', 'maxmemory', '1'),
        (it) => it.config('SET', 'maxmemory', '0'),
      ],
      [
        'there are too few replicas',
        (it) => it.config('SET', 'min-replicas-to-write', '1'),
        (it) => it.config('SET', 'min-replicas-to-write', '0'),
      ],
      [
        'the user has no permission',
        (it) => it.call('ACL', 'SETUSER', 'default', '-evalsha', '-eval', '-set', '-del'),
        (it) => it.call('ACL', 'SETUSER', 'default', '+@all'),
      ],
      [
        'the row has another type',
        async (it) => {
          await it.rename('yubikey-otp:counter:{vv}', 'kept');
          await it.set('yubikey-otp:counter:{vv}', 'text');
        },
        (it) => it.rename('kept', 'yubikey-otp:counter:{vv}'),
      ],
    ])('because %s, rejects with STORE_FAILED, and does not use up the OTP', async (_, spoil, mend) => {
      const { store, direct } = await open(spoil);
      expect((await timeOutcome(store.counters.advance('vv', counters(2)))).outcome).toBe('STORE_FAILED');
      await mend(direct);
      expect(await store.counters.advance('vv', counters(2))).toMatchObject({
        advanced: true,
        previous: counters(1),
      });
    });
  });
});
