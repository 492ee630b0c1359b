import { get } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeModhex } from '../../../src/otp/modhex.js';
import { type KeyStore, MemoryStore } from '../../../src/stores/index.js';
import { ksmService, listKeys, refused, TOKEN } from '../../support/server/ksm/service.js';
import { around } from '../../support/stores/around.js';

const COUNT = 2500;

function keyId(n: number): string {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt32BE(n, 2);
  return encodeModhex(bytes);
}

const ids = Array.from({ length: COUNT }, (_, n) => keyId(n)).sort();
const nth = (n: number) => ids.at(n) as string;
const listedIds = (body: { keys: { key_id: string }[] }) => body.keys.map(({ key_id }) => key_id);

describe(`GET /api/v1/keys, of ${COUNT} keys`, () => {
  const store = new MemoryStore();
  const service = () => ksmService({}, store);

  beforeAll(async () => {
    for (const publicId of ids) await store.keys.add({ publicId, aesKey: Buffer.alloc(16) });
    await store.counters.advance(nth(2000), { usageCounter: 1, sessionUse: 0, timestamp: 0 });
  });

  it('streams all of them', async () => {
    const { body } = await listKeys(await service())
      .expect('Transfer-Encoding', 'chunked')
      .expect(200);
    expect(body).toMatchObject({ status: 'success' });
    expect(body).not.toHaveProperty('next');
    expect(listedIds(body)).toEqual(ids);
    expect(body.keys[2000]).toMatchObject({ usage_count: 1, last_used: expect.any(String) });
  });

  it.each([7, 1000])('lists them in pages of up to %i, starting after the 400th', async (limit) => {
    const { url } = await service();
    const listed: string[] = [];
    for (let after: string | undefined = nth(399); after !== undefined; ) {
      const { body }: { body: { keys: { key_id: string }[]; next?: string | undefined } } = await listKeys(
        { url },
        `?limit=${limit}&after=${after}`,
      ).expect(200);
      listed.push(...listedIds(body));
      if (body.next !== undefined) {
        expect(body.keys).toHaveLength(limit);
        expect(body.next).toBe(listed.at(-1));
      }
      after = body.next;
    }
    expect(listed).toEqual(ids.slice(400));
  });

  it('starts a page after a key that does not exist', async () => {
    const { body } = await listKeys(await service(), '?limit=1&after=c').expect(200);
    expect(listedIds(body)).toEqual([nth(0)]);
    await listKeys(await service(), '?after=vvvvvvvvvvvv').expect(200, { status: 'success', keys: [] });
  });

  it('lists a page of 1,000 by default, and the last page without next', async () => {
    const { body } = await listKeys(await service(), `?after=${nth(0)}`).expect(200);
    expect(listedIds(body)).toEqual(ids.slice(1, 1001));
    expect(body.next).toBe(nth(1000));
    const last = await listKeys(await service(), `?limit=1000&after=${nth(COUNT - 1001)}`).expect(200);
    expect(listedIds(last.body)).toEqual(ids.slice(-1000));
    expect(last.body).not.toHaveProperty('next');
  });

  it.each([
    '?limit=0',
    '?limit=1001',
    '?limit=-1',
    '?limit=1.5',
    '?limit=1e2',
    '?limit=',
    '?limit=%00',
    '?limit=٣',
    '?after=x',
    "?after=c'--",
    '?after=c%00',
    '?after=c%0a',
    `?after=${'c'.repeat(17)}`,
    `?limit=10&after=${encodeURIComponent('c; DROP TABLE yubikey_keys')}`,
  ])('INVALID_PAGE: %s', async (query) => {
    await listKeys(await service(), encodeURI(decodeURI(query))).expect(refused(400, 'INVALID_PAGE'));
  });
});

describe('GET /api/v1/keys when the store fails', () => {
  async function failing(onPage: number) {
    const { keys, counters } = new MemoryStore();
    for (const publicId of ids.slice(0, 1500)) await keys.add({ publicId, aesKey: Buffer.alloc(16) });
    let pages = 0;
    const list: KeyStore['list'] = async (options) => {
      pages += 1;
      if (pages === onPage) throw new Error('database is gone');
      return keys.list(options);
    };
    return ksmService({}, { keys: around(keys, { list }), counters });
  }

  it('STORAGE_ERROR at the first page', async () => {
    await listKeys(await failing(1)).expect(refused(500, 'STORAGE_ERROR'));
  });

  it('breaks the connection on a later page, so that half a list never looks complete', async () => {
    const { url } = await failing(2);
    const outcome = await new Promise<string>((resolve) => {
      const options = { headers: { Authorization: `Bearer ${TOKEN}` } };
      get(`${url}/api/v1/keys`, options, (response) => {
        response.on('error', ({ message }) => resolve(message)).on('end', () => resolve('whole'));
        response.resume();
      });
    });
    expect(outcome).toBe('aborted');
  });
});
