import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { exchange, formatRequest } from '../../support/server/ksm/raw.js';
import { ksmService, type Service, TOKEN } from '../../support/server/ksm/service.js';
import { isPending, until, withStoppedClock } from '../../support/stopped-clock.js';

const KEY = '{"key_id":"cccccccccccc","aes_key":"31323334353637383930313233343536"}';
const MAX = 16 * 1024;
const POST = [
  'POST /api/v1/keys HTTP/1.1',
  'Host: localhost',
  `Authorization: Bearer ${TOKEN}`,
  'Content-Type: application/json',
];
const CHUNKED = [...POST, 'Transfer-Encoding: chunked'];
const withLength = (length: number) => [...POST, `Content-Length: ${length}`];
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const padded = (length: number) => KEY + ' '.repeat(length - KEY.length);

const expectRefusal = (answer: string, status: number, code: string) => {
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(answer).toContain(`"error_code":"${code}"`);
  expect(answer).toMatch(/^Connection: close\r$/im);
};

async function expectNoKey({ keys }: Service): Promise<void> {
  expect((await keys.list()).records).toEqual([]);
}

const lastEvent = async ({ events }: Service) => {
  while (events.length === 0) await sleep(5);
  return events.at(-1);
};

describe('a body', () => {
  it('in chunks of one byte is read', async () => {
    const service = await ksmService();
    const chunks = [...KEY].map(chunk).join('');
    const { answer } = exchange(
      service.url,
      formatRequest([...CHUNKED, 'Connection: close'], `${chunks}0\r\n\r\n`),
    );
    expect(await answer).toMatch(/^HTTP\/1\.1 201 /);
  });

  it('of 16,384 bytes is read, in one piece or in chunks', async () => {
    const one = exchange(
      (await ksmService()).url,
      formatRequest([...withLength(MAX), 'Connection: close'], padded(MAX)),
    );
    expect(await one.answer).toMatch(/^HTTP\/1\.1 201 /);
    const chunks = `${chunk(padded(MAX))}0\r\n\r\n`;
    const other = exchange(
      (await ksmService()).url,
      formatRequest([...CHUNKED, 'Connection: close'], chunks),
    );
    expect(await other.answer).toMatch(/^HTTP\/1\.1 201 /);
  });

  it('that is announced as longer is refused at once, before any of it arrives', async () => {
    const service = await ksmService();
    for (const length of [MAX + 1, 2 ** 40]) {
      const { answer } = exchange(service.url, formatRequest(withLength(length)));
      expectRefusal(await answer, 413, 'PAYLOAD_TOO_LARGE');
    }
    await expectNoKey(service);
  });

  it('that turns out to be longer is refused, and the connection is closed', async () => {
    const service = await ksmService();
    const { answer } = exchange(service.url, formatRequest(CHUNKED, chunk(padded(MAX + 1))));
    expectRefusal(await answer, 413, 'PAYLOAD_TOO_LARGE');
    await expectNoKey(service);
  });

  it('without an end is refused after 16,384 bytes', async () => {
    const service = await ksmService();
    const { socket, answer } = exchange(service.url, formatRequest(CHUNKED));
    const feeding = setInterval(() => socket.writable && socket.write(chunk(' '.repeat(1000))), 2);
    expectRefusal(await answer.finally(() => clearInterval(feeding)), 413, 'PAYLOAD_TOO_LARGE');
    await expectNoKey(service);
  });

  it('that does not arrive, or arrives at a byte a second, is refused after 10 seconds', async () => {
    const service = await ksmService();
    await withStoppedClock(async () => {
      const silent = exchange(service.url, formatRequest(withLength(KEY.length)));
      const slow = exchange(service.url, formatRequest(CHUNKED, chunk('{')));
      await until(() => vi.getTimerCount() === 2);
      for (let second = 1; second < 10; second++) {
        vi.advanceTimersByTime(1000);
        slow.socket.write(chunk(' '));
      }
      vi.advanceTimersByTime(999);
      expect(await isPending(Promise.race([silent.answer, slow.answer]))).toBe(true);
      vi.advanceTimersByTime(1);
      for (const { answer } of [silent, slow]) expectRefusal(await answer, 408, 'REQUEST_TIMEOUT');
    });
    expect(service.events).toMatchObject(
      Array(2).fill({ outcome: 'REQUEST_TIMEOUT', httpStatus: 408, publicId: undefined }),
    );
    await expectNoKey(service);
  });

  it.each([
    ['half of the JSON', KEY.slice(0, 30), KEY.length],
    ['the whole JSON', KEY, KEY.length + 1],
    ['no byte', '', KEY.length],
  ])('that breaks off after %s adds no key', async (_, sent, length) => {
    const service = await ksmService();
    const { socket } = exchange(service.url, formatRequest(withLength(length), sent));
    await sleep(500);
    socket.destroy();
    expect(await lastEvent(service)).toMatchObject({ outcome: 'INVALID_JSON', httpStatus: 400 });
    await expectNoKey(service);
  });

  it('in chunks that breaks off after the whole JSON adds no key', async () => {
    const service = await ksmService();
    const { socket } = exchange(service.url, formatRequest(CHUNKED, chunk(KEY)));
    await sleep(500);
    socket.end();
    expect(await lastEvent(service)).toMatchObject({ outcome: 'INVALID_JSON' });
    await expectNoKey(service);
  });

  it('with a broken chunk adds no key', async () => {
    const service = await ksmService();
    const { answer } = exchange(service.url, formatRequest(CHUNKED, `${chunk(KEY)}zz\r\n`));
    expect(await answer).toMatch(/^(HTTP\/1\.1 400 |$)/);
    await expectNoKey(service);
  });

  it.each(['gzip', 'br', 'deflate', 'identity', 'gzip, gzip', ''])(
    'with Content-Encoding: %s is refused, and is not decompressed',
    async (encoding) => {
      const service = await ksmService();
      const body = gzipSync(KEY);
      const lines = [...withLength(body.length), `Content-Encoding: ${encoding}`];
      const { answer } = exchange(service.url, formatRequest(lines, body));
      expectRefusal(await answer, 415, 'UNSUPPORTED_MEDIA_TYPE');
      await expectNoKey(service);
    },
  );

  it('of another type is refused before any of it arrives, and the connection is closed', async () => {
    const service = await ksmService();
    const lines = POST.map((line) => line.replace('application/json', 'text/plain'));
    const { answer } = exchange(service.url, formatRequest([...lines, 'Content-Length: 100']));
    expectRefusal(await answer, 415, 'UNSUPPORTED_MEDIA_TYPE');
  });

  it('of an unauthorised request is not waited for', async () => {
    const service = await ksmService();
    const lines = withLength(100).filter((line) => !line.startsWith('Authorization'));
    const { socket, answer } = exchange(service.url, formatRequest(lines));
    expect(await lastEvent(service)).toMatchObject({ outcome: 'UNAUTHORIZED', httpStatus: 401 });
    await until(() => socket.bytesRead > 0);
    socket.destroy();
    expect(await answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('cannot be used to smuggle a second request', async () => {
    const service = await ksmService();
    const second = formatRequest(['DELETE /api/v1/keys/cccccccccccc HTTP/1.1', 'Host: localhost']).toString();
    const both = [...POST, 'Content-Length: 4', 'Transfer-Encoding: chunked'];
    const { answer } = exchange(service.url, formatRequest(both, `0\r\n\r\n${second}`));
    expect(await answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(service.events).toEqual([]);
  });

  it('does not affect the next request on the same connection', async () => {
    const service = await ksmService();
    const first = formatRequest(withLength(KEY.length), KEY);
    const empty = formatRequest([...withLength(2), 'Connection: close'], '{}');
    const { answer } = exchange(service.url, Buffer.concat([first, empty]));
    expect((await answer).match(/"(error_code|status)":"\w+"/g)).toEqual([
      '"status":"success"',
      '"status":"ERROR"',
      '"error_code":"MISSING_KEY_ID"',
    ]);
  });
});
