import { expect, it } from 'vitest';
import type { ClientRecord, KeyRecord } from '../../../src/stores/index.js';
import type { OpenStore } from '../../../src/testing/index.js';

const NONCE = 'n'.repeat(16);
const AES_KEY = Uint8Array.from({ length: 16 }, (_, n) => n * 17);
const PRIVATE_ID = Uint8Array.of(0, 255, 0, 1, 2, 0);
const API_KEY = Uint8Array.from({ length: 20 }, (_, n) => 255 - n);
const touch = (usageCounter: number) => ({ usageCounter, sessionUse: 7, timestamp: 99 });

/** One test for keys, clients and counters each, which makes every call and gets each kind of answer. */
export function describeSmoke(store: () => OpenStore): void {
  it('keys are added once, found, replaced while current, listed and deleted', async () => {
    const { keys } = store();
    for (const publicId of ['', 'cc', 'vv']) {
      const key = { publicId, aesKey: AES_KEY, privateId: PRIVATE_ID, notes: `Zoë's ${publicId}` };
      expect(await keys.add(key)).toBe(true);
      expect(await keys.add({ publicId, aesKey: PRIVATE_ID })).toBe(false);
    }
    const key = (await keys.get('cc')) as KeyRecord;
    expect(key).toMatchObject({ publicId: 'cc', notes: "Zoë's cc", active: true });
    expect(Buffer.from(key.aesKey)).toEqual(Buffer.from(AES_KEY));
    expect(Buffer.from(key.privateId ?? [])).toEqual(Buffer.from(PRIVATE_ID));
    expect(await keys.replace(key, { active: false, aesKey: API_KEY })).toBe(true);
    expect(await keys.replace(key, { notes: 'late' })).toBe(false);
    const replaced = (await keys.get('cc')) as KeyRecord;
    expect(replaced).toEqual({ ...key, active: false, aesKey: replaced.aesKey, revision: replaced.revision });
    expect(Buffer.from(replaced.aesKey)).toEqual(Buffer.from(API_KEY));
    const { records, next } = await keys.list({ limit: 2 });
    expect(records.map(({ publicId }) => publicId)).toEqual(['', 'cc']);
    expect((await keys.list({ after: next })).records.map(({ publicId }) => publicId)).toEqual(['vv']);
    expect([await keys.delete('cc'), await keys.delete('cc')]).toEqual([true, false]);
    expect(await keys.get('cc')).toBeUndefined();
  });

  it('clients are, too', async () => {
    const { clients } = store();
    expect(await clients.add({ id: '87', apiKey: API_KEY, notes: 'VPN' })).toBe(true);
    expect(await clients.add({ id: '87', apiKey: AES_KEY })).toBe(false);
    const client = (await clients.get('87')) as ClientRecord;
    expect(client).toMatchObject({ id: '87', notes: 'VPN', active: true });
    expect(Buffer.from(client.apiKey)).toEqual(Buffer.from(API_KEY));
    expect(await clients.replace(client, { active: false })).toBe(true);
    expect(await clients.replace(client, { notes: 'late' })).toBe(false);
    expect((await clients.list()).records).toMatchObject([{ id: '87', notes: 'VPN', active: false }]);
    expect([await clients.delete('87'), await clients.delete('87')]).toEqual([true, false]);
  });

  it('counters rise, tell what was before, and know a replay from a repeated request', async () => {
    const { counters } = store();
    const first = await counters.advance('vv', touch(5), NONCE);
    expect(first).toMatchObject({ advanced: true, current: { ...touch(5), acceptedCount: 1 } });
    expect(await counters.advance('vv', touch(5), NONCE)).toMatchObject({ reason: 'REPLAYED_REQUEST' });
    expect(await counters.advance('vv', touch(5))).toMatchObject({ reason: 'REPLAYED_OTP' });
    const acceptedAt = new Date('2020-01-02T03:04:05Z');
    expect(await counters.advance('vv', touch(6), NONCE, acceptedAt)).toMatchObject({
      advanced: true,
      previous: touch(5),
    });
    await expect(counters.advance('vv', touch(-1))).rejects.toThrow(RangeError);
    const row = { ...touch(6), acceptedAt, acceptedCount: 2 };
    expect(await counters.get('vv')).toMatchObject(row);
    expect((await counters.list()).records).toMatchObject([{ publicId: 'vv', ...row, nonce: NONCE }]);
  });
}
