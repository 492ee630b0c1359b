import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as IoRedis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { RedisStore, type SendCommand } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import { LossyProxy } from '../../support/servers/lossy-proxy.js';
import { RedisServer } from '../../support/servers/redis.js';
import { connectIoredis, type RedisClient } from '../../support/stores/redis-clients.js';
import { describeStore } from '../../support/stores/store-contract.js';

const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 3, timestamp: 4 });
const KEY = { publicId: 'vvcbdefghijk', aesKey: Buffer.alloc(16, 1), privateId: Buffer.alloc(6, 2) };
const NONCE = 'n'.repeat(16);
const REPLAYED = { advanced: false, reason: 'REPLAYED_OTP' };

/** A client that loses answers, and so sends each script again after `between`. */
const resending =
  (sendCommand: SendCommand, between: () => Promise<unknown> = async () => undefined): SendCommand =>
  async (key, command) => {
    const first = await sendCommand(key, command);
    if (!/^EVAL|^DEL/.test(command[0] as string)) return first;
    await between();
    return sendCommand(key, command);
  };

describeWith('RedisStore whose client resends commands', ['redis-server'], () => {
  let server: RedisServer;
  let client: RedisClient;
  let prefixes = 0;
  beforeAll(async () => {
    server = await RedisServer.start();
    client = await connectIoredis(server.url);
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });

  const newPrefix = () => `${++prefixes}:`;

  async function open(sendCommand = client.sendCommand, prefix = newPrefix()): Promise<RedisStore> {
    const store = new RedisStore({ sendCommand, prefix, timeout: 20_000 });
    await store.migrate();
    return store;
  }

  describeStore('fulfils the contract of a store, except for the result of delete', async () => {
    const withoutDelete: SendCommand = (key, command) =>
      (command[0] === 'DEL' ? client.sendCommand : resending(client.sendCommand))(key, command);
    const { keys, clients, counters } = await open(withoutDelete);
    return { keys, clients, counters, close: async () => undefined };
  });

  it('resolves delete with false for a record that its first attempt deleted', async () => {
    const { keys } = await open(resending(client.sendCommand));
    await keys.add(KEY);
    expect(await keys.delete(KEY.publicId)).toBe(false);
    expect(await keys.get(KEY.publicId)).toBeUndefined();
  });

  it('refuses an OTP that it had accepted if a newer one was accepted in between', async () => {
    const prefix = newPrefix();
    const other = await open(client.sendCommand, prefix);
    await other.counters.advance('vv', counters(1));
    const between = () => other.counters.advance('vv', counters(3));
    const { counters: resent } = await open(resending(client.sendCommand, between), prefix);
    expect(await resent.advance('vv', counters(2))).toEqual(REPLAYED);
    expect(await other.counters.get('vv')).toMatchObject({ ...counters(3), acceptedCount: 3 });
  });

  it('accepts no OTP of another call, with or without the same nonce', async () => {
    const { counters: resent } = await open(resending(client.sendCommand));
    expect(await resent.advance('vv', counters(1), NONCE)).toMatchObject({ advanced: true });
    expect(await resent.advance('vv', counters(1), NONCE)).toMatchObject({ reason: 'REPLAYED_REQUEST' });
    expect(await resent.advance('vv', counters(1))).toEqual(REPLAYED);
  });

  it('rejects with ANSWER_LOST if ioredis has maxRetriesPerRequest: 0 and the answer is lost', async () => {
    const proxy = await LossyProxy.start(server.port);
    const { sendCommand, close } = await connectIoredis(`redis://127.0.0.1:${proxy.port}`, {
      maxRetriesPerRequest: 0,
    });
    const store = await open(sendCommand);
    await store.counters.advance('vv', counters(1));
    proxy.cutAfter(6);
    await expect(store.counters.advance('vv', counters(2))).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    await expect
      .poll(() => store.counters.advance('vv', counters(2)).catch(() => undefined), { timeout: 10_000 })
      .toEqual(REPLAYED);
    await close();
    await proxy.stop();
  });

  it('answers each of several calls over one connection correctly, cut off at any byte', async () => {
    const ids = ['b', 'c', 'd', 'e', 'f'];
    const advanceAll = (store: RedisStore, usageCounter: number) =>
      Promise.all(
        ids.map((id, n) => store.counters.advance(id, { ...counters(usageCounter), timestamp: n })),
      );
    async function cutAfter(bytes: number) {
      const proxy = await LossyProxy.start(server.port);
      const { sendCommand, close } = await connectIoredis(`redis://127.0.0.1:${proxy.port}`);
      const store = await open(sendCommand);
      await advanceAll(store, 1);
      proxy.takePassed();
      proxy.cutAfter(bytes);
      const outcomes = await advanceAll(store, 2);
      const passed = proxy.takePassed();
      outcomes.forEach((outcome, n) => {
        expect(outcome, `${ids[n]}, cut after ${bytes} bytes`).toMatchObject({
          advanced: true,
          current: { ...counters(2), timestamp: n, acceptedCount: 2 },
          previous: { ...counters(1), timestamp: n, acceptedCount: 1 },
        });
      });
      expect(await advanceAll(store, 2)).toEqual(ids.map(() => REPLAYED));
      await close();
      await proxy.stop();
      return passed;
    }
    const length = await cutAfter(Number.POSITIVE_INFINITY);
    await Promise.all(Array.from({ length: Math.ceil(length / 11) }, (_, n) => cutAfter(n * 11)));
  });

  describe('to a replica that became the master', () => {
    async function failOver({ replicated }: { replicated: boolean }) {
      const settings = [...RedisServer.DURABLE, '--repl-diskless-sync-delay', '0'];
      const [master, replica] = [await RedisServer.start(settings), await RedisServer.start(settings)];
      const proxy = await LossyProxy.start(master.port);
      // By then, the replica has the last write, or never will.
      const retryStrategy = () => 1500;
      const { sendCommand, close } = await connectIoredis(`redis://127.0.0.1:${proxy.port}`, {
        retryStrategy,
      });
      const [toMaster, toReplica] = [new IoRedis(master.url), new IoRedis(replica.url)];
      onTestFinished(async () => {
        for (const it of [toMaster, toReplica]) it.disconnect();
        await close();
        await proxy.stop();
        for (const it of [master, replica]) await it.stop();
      });
      const store = await open(sendCommand);
      await store.counters.advance('vv', counters(1));
      await toReplica.replicaof('127.0.0.1', master.port);
      // Wait until the replica follows the master.
      while (!/slave_repl_offset:[1-9]/.test(await toReplica.info('replication'))) {
        await toMaster.incr('written');
        await sleep(20);
      }
      if (!replicated) await toReplica.replicaof('NO', 'ONE');
      proxy.redirect(replica.port);
      // In the middle of the answer to the script, which follows the answer to the index.
      proxy.cutAfter(8);
      return { store, toReplica };
    }

    it('answers as the first time if the replica has the write, before and after it becomes the master', async () => {
      const { store, toReplica } = await failOver({ replicated: true });
      const advance = store.counters.advance('vv', counters(2));
      expect(await advance).toMatchObject({ advanced: true, previous: counters(1) });
      await toReplica.replicaof('NO', 'ONE');
      expect(await store.counters.advance('vv', counters(2))).toEqual(REPLAYED);
    });

    it('rejects with ANSWER_LOST if the replica refuses the command and does not have the write yet', async () => {
      const { store, toReplica } = await failOver({ replicated: false });
      await toReplica.replicaof('127.0.0.1', 1);
      await expect(store.counters.advance('vv', counters(2))).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    });

    it('accepts the OTP if the replica does not have the write', async () => {
      const { store } = await failOver({ replicated: false });
      expect(await store.counters.advance('vv', counters(2))).toMatchObject({
        advanced: true,
        previous: counters(1),
      });
      expect(await store.counters.advance('vv', counters(2))).toEqual(REPLAYED);
    });
  });

  describe('next to an older version of this package', () => {
    async function openOld() {
      const prefix = newPrefix();
      const store = await open(resending(client.sendCommand), prefix);
      const key = `${prefix}counter:{vv}`;
      const values = (usageCounter: number) =>
        ['usage_counter', usageCounter, 'session_use', 3, 'clock', 4, 'nonce', NONCE, 'accepted_at', 5].map(
          String,
        );
      const writeOld = async (usageCounter: number) => {
        await client.sendCommand(key, ['HSET', key, ...values(usageCounter)]);
        await client.sendCommand(key, ['HINCRBY', key, 'accepted_count', '1']);
      };
      return { store, writeOld };
    }

    it('continues with its counters, and lists them', async () => {
      const { store, writeOld } = await openOld();
      await writeOld(7);
      expect(await store.counters.advance('vv', counters(7), NONCE)).toMatchObject({
        reason: 'REPLAYED_REQUEST',
      });
      expect(await store.counters.advance('vv', counters(7))).toEqual(REPLAYED);
      expect(await store.counters.advance('vv', counters(8))).toMatchObject({
        advanced: true,
        current: { ...counters(8), acceptedCount: 2 },
        previous: { ...counters(7), acceptedAt: new Date(5), acceptedCount: 1 },
      });
      const { records } = await store.counters.list();
      expect(records).toMatchObject([{ publicId: 'vv', ...counters(8) }]);
    });

    it('refuses OTPs that it accepted, and returns the counters that it wrote', async () => {
      const { store, writeOld } = await openOld();
      await store.counters.advance('vv', counters(7));
      await writeOld(8);
      expect(await store.counters.advance('vv', counters(8))).toEqual(REPLAYED);
      expect(await store.counters.advance('vv', counters(7))).toEqual(REPLAYED);
      expect(await store.counters.advance('vv', counters(9))).toMatchObject({
        current: { acceptedCount: 3 },
        previous: { ...counters(8), acceptedCount: 2 },
      });
    });
  });
});
