import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as IoRedis, Cluster as IoRedisCluster } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { YubikeyError } from '../../../src/errors.js';
import { type Advance, RedisStore, type SendCommand } from '../../../src/stores/index.js';
import { hashSlot } from '../../../src/stores/redis/cluster.js';
import { describeWith } from '../../support/programs.js';
import { LossyProxy } from '../../support/servers/lossy-proxy.js';
import type { RedisClient } from '../../support/stores/redis-clients.js';
import { RedisCluster, redisClusterClients } from '../../support/stores/redis-cluster.js';

const TIMEOUT = 1_000;
const LATE = 5_000;
const PREFIX = 'yubikey-otp:';
const SLOTS_EACH = Math.ceil(16_384 / 3);
const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 0, timestamp: 0 });
const settleCall = (call: Promise<unknown>) =>
  call.catch((error) => (error instanceof YubikeyError ? error.code : error));

/** The index of the master that holds the key. */
const masterIndex = (key: string) => Math.floor(hashSlot(key) / SLOTS_EACH);

describeWith('RedisStore over a Redis Cluster', ['redis-server'], () => {
  let cluster: RedisCluster;
  let turn = 0;
  let publicIds: string[];
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);
  afterAll(() => cluster?.stop());
  beforeEach(() => {
    const digit = 'cbdefghijk'[++turn] as string;
    publicIds = [...'cbdefghijklnrtuv'].map((letter) => `vv${digit}${letter}`);
  });

  async function open(sendCommand: SendCommand, timeout = TIMEOUT): Promise<RedisStore> {
    const store = new RedisStore({ sendCommand, prefix: PREFIX, timeout });
    await store.migrate();
    return store;
  }

  const advanceAll = (store: RedisStore, usageCounter: number, ids: readonly string[] = publicIds) =>
    Promise.all(ids.map((id) => settleCall(store.counters.advance(id, counters(usageCounter)))));

  const advanced = (usageCounter: number) =>
    expect.objectContaining({ advanced: true, current: expect.objectContaining(counters(usageCounter)) });

  describe.each(Object.entries(redisClusterClients))('through the cluster client of %s', (_, connect) => {
    let client: RedisClient;
    beforeAll(async () => {
      client = await connect(cluster);
    });
    afterAll(() => client?.close());

    it('goes on with the keys of the other masters while one is stopped, even the one with the index', async () => {
      const store = await open(client.sendCommand);
      await advanceAll(store, 1);
      const stopped = masterIndex(`${PREFIX}counters`);
      const isThere = (id: string) => masterIndex(`${PREFIX}counter:{${id}}`) === stopped;
      const [lost, others] = [publicIds.filter(isThere), publicIds.filter((id) => !isThere(id))];
      expect(Math.min(lost.length, others.length)).toBeGreaterThan(1);
      cluster.servers[stopped]?.kill('SIGSTOP');
      const since = performance.now();
      const losing = advanceAll(store, 2, lost);
      for (let n = 2; performance.now() - since < 2 * TIMEOUT; n++) {
        expect(await advanceAll(store, n, others)).toEqual(others.map(() => advanced(n)));
        expect(await settleCall(store.keys.get(others[0] as string))).not.toBe('ANSWER_LOST');
        await sleep(20);
      }
      expect(await losing).toEqual(lost.map(() => 'ANSWER_LOST'));
      const again = performance.now();
      await advanceAll(store, 3, lost);
      expect(performance.now() - again).toBeLessThan(TIMEOUT + LATE);
      cluster.servers[stopped]?.kill('SIGCONT');
      const isBack = async () =>
        (await advanceAll(store, 999)).every((outcome) => typeof outcome === 'object');
      await expect.poll(isBack, { timeout: 20_000 }).toBe(true);
      expect(await advanceAll(store, 1_000)).toEqual(publicIds.map(() => advanced(1_000)));
      expect(await advanceAll(store, 1_000)).toEqual(
        publicIds.map(() => ({ advanced: false, reason: 'REPLAYED_OTP' })),
      );
    });

    it('answers a command that is resent to the master that a key moved to as it did the first time', async () => {
      const id = publicIds[0] as string;
      const key = `${PREFIX}counter:{${id}}`;
      const slot = hashSlot(key);
      const nodes = cluster.servers.map(({ url }) => new IoRedis(url));
      onTestFinished(() => {
        for (const node of nodes) node.disconnect();
      });
      const [from, to] = [masterIndex(key), (masterIndex(key) + 1) % 3] as const;
      const [source, target] = [nodes[from] as IoRedis, nodes[to] as IoRedis];
      const [sourceId, targetId] = await Promise.all([source.cluster('MYID'), target.cluster('MYID')]);
      const states: [name: string, move: () => Promise<unknown>][] = [
        [
          'ASK',
          async () => {
            await target.cluster('SETSLOT', slot, 'IMPORTING', sourceId);
            await source.cluster('SETSLOT', slot, 'MIGRATING', targetId);
            await source.migrate('127.0.0.1', cluster.servers[to]?.port as number, key, 0, 5_000);
          },
        ],
        [
          'MOVED',
          async () => {
            for (const node of [target, source, ...nodes])
              await node.cluster('SETSLOT', slot, 'NODE', targetId);
          },
        ],
      ];
      const sound = await open(client.sendCommand);
      await sound.counters.advance(id, counters(1));
      for (const [n, [state, move]] of states.entries()) {
        const resending: SendCommand = async (to, command) => {
          const first = await client.sendCommand(to, command);
          if (to !== key) return first;
          await move();
          return client.sendCommand(to, command);
        };
        const resent = await open(resending);
        expect(await resent.counters.advance(id, counters(n + 2)), state).toMatchObject({
          advanced: true,
          previous: counters(n + 1),
        });
        expect(await sound.counters.advance(id, counters(n + 2)), state).toMatchObject({ advanced: false });
      }
      for (const node of [source, target, ...nodes]) {
        await node.cluster('SETSLOT', slot, 'NODE', targetId);
      }
      const back = async () => {
        await source.cluster('SETSLOT', slot, 'IMPORTING', targetId);
        await target.cluster('SETSLOT', slot, 'MIGRATING', sourceId);
        await target.migrate('127.0.0.1', cluster.servers[from]?.port as number, key, 0, 5_000);
        for (const node of [source, target, ...nodes]) await node.cluster('SETSLOT', slot, 'NODE', sourceId);
      };
      await back();
      expect(await sound.counters.advance(id, counters(3))).toMatchObject({ advanced: false });
    });
  });

  it('gives the right answers when ioredis resends commands that were cut off at any byte', async () => {
    const proxies = await Promise.all(cluster.servers.map(({ port }) => LossyProxy.start(port)));
    const natMap = Object.fromEntries(
      cluster.servers.map(({ port }, n) => [
        `127.0.0.1:${port}`,
        { host: '127.0.0.1', port: proxies[n]?.port as number },
      ]),
    );
    const through = new IoRedisCluster(
      proxies.map(({ port }) => ({ host: '127.0.0.1', port })),
      { natMap },
    );
    through.on('error', () => undefined);
    onTestFinished(async () => {
      through.disconnect();
      for (const proxy of proxies) await proxy.stop();
    });
    const store = await open((_key, [name, ...rest]) => through.call(name as string, ...rest), 20_000);
    await advanceAll(store, 1);
    const replayed = { advanced: false, reason: 'REPLAYED_OTP' };
    let lost = 0;
    for (let n = 2; n < 14; n++) {
      for (const proxy of proxies) proxy.cutAfter(n * 19);
      const outcomes = await advanceAll(store, n);
      // On a busy machine, ioredis may give a command up instead of resending it: its answer is lost, and never a wrong one.
      const isLost = outcomes.map((outcome) => outcome === 'ANSWER_LOST');
      lost += isLost.filter(Boolean).length;
      expect(outcomes, `cut after ${n * 19} bytes`).toEqual(
        isLost.map((wasLost) => (wasLost ? 'ANSWER_LOST' : advanced(n))),
      );
      for (const proxy of proxies) proxy.cutAfter(Number.POSITIVE_INFINITY);
      const accepted: number[] = isLost.map((wasLost) => (wasLost ? 0 : 1));
      const again = async () => {
        const outcomes = await advanceAll(store, n);
        for (const [at, outcome] of outcomes.entries()) {
          if ((outcome as Partial<Advance>).advanced) accepted[at] = (accepted[at] ?? 0) + 1;
        }
        return outcomes;
      };
      await expect.poll(again).toEqual(publicIds.map(() => replayed));
      expect(Math.max(...accepted)).toBe(1);
    }
    expect(lost).toBeLessThan(publicIds.length);
  });
});
