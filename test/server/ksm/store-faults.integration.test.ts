import request from 'supertest';
import { describe, expect, it, vi } from 'vitest';
import { YubikeyError, type YubikeyErrorCode } from '../../../src/errors.js';
import { type CounterStore, type KeyStore, MemoryStore } from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import {
  addKey,
  decrypt,
  deleteKey,
  ksmService,
  listKeys,
  refused,
  withoutPrivateId,
  withPrivateId,
  wsapi,
} from '../../support/server/ksm/service.js';
import { isPending, until, withStoppedClock } from '../../support/stopped-clock.js';
import { around } from '../../support/stores/around.js';

const broken = () => Promise.reject(new Error('connect ECONNREFUSED db.internal password=hunter2'));
const hanging = () => new Promise<never>(() => undefined);
const throwing = () => {
  throw new Error('not connected, password=hunter2');
};
const WAYS: [string, () => Promise<never>][] = [
  ['rejects', broken],
  ['throws', throwing],
];

function aroundCounters(store: CounterStore, changes: Partial<CounterStore>): CounterStore {
  return {
    advance: (...all) => store.advance(...all),
    get: (id) => store.get(id),
    list: (options) => store.list(options),
    ...changes,
  };
}

/** A service with one key, whose stores have the given methods replaced. */
async function serviceWith({
  keys = {},
  counters = {},
  refuseWsapiReplays = false,
}: {
  keys?: Partial<KeyStore> | undefined;
  counters?: Partial<CounterStore> | undefined;
  refuseWsapiReplays?: boolean | undefined;
}) {
  const store = new MemoryStore();
  const yubikey = new SoftYubikey();
  await store.keys.add(yubikey);
  const failing = { keys: around(store.keys, keys), counters: aroundCounters(store.counters, counters) };
  return { ...(await ksmService({ refuseWsapiReplays }, failing)), store, yubikey };
}

describe.each(WAYS)('STORAGE_ERROR, without internal details, when a store %s', (_, fail) => {
  it.each([
    ['the keys, at decrypt', { keys: { get: fail } }],
    ['the counters, at decrypt', { counters: { advance: fail } }],
  ])('%s', async (_, changes) => {
    const service = await serviceWith(changes);
    const otp = service.yubikey.press();
    await decrypt(service, otp).expect(refused(500, 'STORAGE_ERROR'));
    expect((await service.store.counters.list()).records).toEqual([]);
    const whole = await ksmService({}, service.store);
    await decrypt(whole, otp).expect(200);
  });

  it.each([
    ['the keys', { keys: { get: fail } }],
    ['the counters', { counters: { advance: fail } }],
  ])('%s, at wsapi', async (_, changes) => {
    const service = await serviceWith({ ...changes, refuseWsapiReplays: true });
    await wsapi(service, service.yubikey.press()).expect(200, 'ERR Database error\n');
  });

  it.each([
    ['add', { keys: { add: fail } }],
    ['get', { keys: { get: fail } }],
  ])('the keys, when adding a key: %s', async (_, changes) => {
    const service = await serviceWith(changes);
    const other = new SoftYubikey();
    await addKey(service, withPrivateId(other)).expect(refused(500, 'STORAGE_ERROR'));
    expect(await service.store.keys.get(other.publicId)).toBeUndefined();
  });

  it('the counters, when adding a key with an OTP: nothing is stored', async () => {
    const service = await serviceWith({ counters: { advance: fail } });
    const other = new SoftYubikey();
    const body = { ...withoutPrivateId(other), otp: other.press() };
    await addKey(service, body).expect(refused(500, 'STORAGE_ERROR'));
    expect(await service.store.keys.get(other.publicId)).toBeUndefined();
  });

  it('when deleting and listing keys', async () => {
    const deleting = await serviceWith({ keys: { delete: fail } });
    await deleteKey(deleting, deleting.yubikey.publicId).expect(refused(500, 'STORAGE_ERROR'));
    expect(await deleting.store.keys.get(deleting.yubikey.publicId)).toBeDefined();
    await listKeys(await serviceWith({ keys: { list: fail } })).expect(refused(500, 'STORAGE_ERROR'));
    await listKeys(await serviceWith({ counters: { get: fail } })).expect(refused(500, 'STORAGE_ERROR'));
  });

  it('/health is degraded, whichever store fails, and reveals no more', async () => {
    for (const changes of [{ keys: { get: fail } }, { counters: { get: fail } }]) {
      const { url } = await serviceWith(changes);
      await request(url)
        .get('/health')
        .expect(200, { status: 'degraded', database: { status: 'disconnected' } });
    }
  });
});

describe('a store that does not answer', () => {
  it.each([
    ['keys', { keys: { get: hanging } }],
    ['counters', { counters: { get: hanging } }],
  ])('makes /health degraded after two seconds: the %s', async (_, changes) => {
    const { url } = await serviceWith(changes);
    await withStoppedClock(async () => {
      const asked = request(url)
        .get('/health')
        .expect(200, { status: 'degraded', database: { status: 'disconnected' } })
        .then(() => undefined);
      await until(() => vi.getTimerCount() > 0);
      vi.advanceTimersByTime(1999);
      expect(await isPending(asked)).toBe(true);
      vi.advanceTimersByTime(1);
      await asked;
    });
  });

  it('does not delay other requests', async () => {
    const store = new MemoryStore();
    const [stuck, fine] = [new SoftYubikey(), new SoftYubikey()];
    for (const yubikey of [stuck, fine]) await store.keys.add(yubikey);
    const advance: CounterStore['advance'] = (id, ...rest) =>
      id === stuck.publicId ? hanging() : store.counters.advance(id, ...rest);
    const service = await ksmService({
      keys: store.keys,
      counters: aroundCounters(store.counters, { advance }),
    });
    const waiting = decrypt(service, stuck.press()).timeout(500);
    const outcome = waiting.then(
      () => 'answered',
      (error: { code: string }) => error.code,
    );
    await decrypt(service, fine.press()).expect(200);
    expect(await outcome).toBe('ECONNABORTED');
  });
});

describe('a limit enforced by the counter store', () => {
  const limited = () => Promise.reject(new YubikeyError('RATE_LIMITED', 'vvcccccccccc: 10 a minute'));

  it('TOO_MANY_REQUESTS, HTTP 429 with Retry-After', async () => {
    const service = await serviceWith({ counters: { advance: limited } });
    await decrypt(service, service.yubikey.press())
      .expect('Retry-After', '1')
      .expect(refused(429, 'TOO_MANY_REQUESTS'));
  });

  it('HTTP 429 at wsapi with refuseWsapiReplays', async () => {
    const service = await serviceWith({ counters: { advance: limited }, refuseWsapiReplays: true });
    await wsapi(service, service.yubikey.press())
      .expect('Retry-After', '1')
      .expect(429, 'ERR Too many requests: try again in a second\n');
  });

  it('does not count OTPs that cannot be decrypted', async () => {
    const service = await serviceWith({ counters: { advance: limited } });
    const { publicId, aesKey } = service.yubikey;
    const forged = new SoftYubikey({ publicId, aesKey });
    await decrypt(service, forged.press()).expect(422);
    await decrypt(service, `${publicId}${'c'.repeat(32)}`).expect(422);
  });
});

describe('other faults of a store', () => {
  it.each<YubikeyErrorCode>([
    'STORE_FAILED',
    'ANSWER_LOST',
    'STORE_NOT_MIGRATED',
    'SEAL_BROKEN',
    'MASTER_KEY_UNKNOWN',
  ])('%s is STORAGE_ERROR', async (code) => {
    const get = () => Promise.reject(new YubikeyError(code, 'of the inside'));
    const service = await serviceWith({ keys: { get } });
    await decrypt(service, service.yubikey.press()).expect(refused(500, 'STORAGE_ERROR'));
    await wsapi(service, service.yubikey.press()).expect(200, 'ERR Database error\n');
    expect(service.events).toMatchObject(Array(2).fill({ outcome: 'STORAGE_ERROR', error: { code } }));
  });

  it('a stored key of the wrong length is STORAGE_ERROR, not a bad OTP', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey();
    await service.keys.add({ publicId: yubikey.publicId, aesKey: Buffer.alloc(24) });
    await decrypt(service, yubikey.press()).expect(refused(500, 'STORAGE_ERROR'));
    expect(service.events).toMatchObject([{ error: { code: 'KEY_UNUSABLE' } }]);
  });
});
