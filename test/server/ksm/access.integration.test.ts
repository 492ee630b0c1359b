import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { type KsmListenerOptions, ksmListener } from '../../../src/server/index.js';
import { MemoryStore } from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { exchange, formatRequest } from '../../support/server/ksm/raw.js';
import { addKey, deleteKey, ksmService, listKeys, refused, TOKEN } from '../../support/server/ksm/service.js';

const KEY = { key_id: 'cccccccccccc', aes_key: '31323334353637383930313233343536' };
const { keys, counters } = new MemoryStore();
const MANAGING = [
  ['GET', '/api/v1/keys'],
  ['POST', '/api/v1/keys'],
  ['DELETE', '/api/v1/keys/cccccccccccc'],
] as const;

interface From {
  address?: string | undefined;
  headers?: Record<string, string | undefined>;
  method?: string | undefined;
  path?: string | undefined;
}

/** The HTTP status of the answer to a request that seems to come from another machine, a proxy or a browser. */
async function statusFrom(options: Partial<KsmListenerOptions>, from: From): Promise<number> {
  const { address, headers = {}, method = 'GET', path = '/api/v1/keys' } = from;
  const req = new IncomingMessage({ remoteAddress: address } as Socket);
  Object.assign(req, { method, url: path, headers: { host: 'localhost:8002', ...headers } });
  for (const [name, value] of Object.entries(headers)) if (value === undefined) delete req.headers[name];
  const response = new ServerResponse(req);
  ksmListener({ keys, counters, ...options })(req, response);
  while (!response.writableEnded && !response.headersSent) await new Promise(setImmediate);
  return response.statusCode;
}

describe('managing keys with a token', () => {
  it.each(MANAGING)('%s %s requires the token, and changes nothing without it', async (method, path) => {
    const service = await ksmService();
    await service.keys.add({ publicId: 'cccccccccccc', aesKey: Buffer.alloc(16, 7) });
    const before = await service.keys.get('cccccccccccc');
    const headers = { 'Content-Type': 'application/json' };
    const body = method === 'POST' ? JSON.stringify({ ...KEY, key_id: 'dddddddddddd' }) : null;
    const response = await fetch(service.url + path, { method, headers, body });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ status: 'ERROR', error_code: 'UNAUTHORIZED' });
    expect(text).not.toContain('cccccccccccc');
    expect((await service.keys.list()).records).toEqual([before]);
  });

  it.each([
    ['another token of the same length', `Bearer ${TOKEN.replace('c', 'd')}`],
    ['the token in upper case', `Bearer ${TOKEN.toUpperCase()}`],
    ['the token without its last character', `Bearer ${TOKEN.slice(0, -1)}`],
    ['the token and one more character', `Bearer ${TOKEN}x`],
    ['the token twice', `Bearer ${TOKEN} ${TOKEN}`],
    ['two tokens separated by a comma', `Bearer ${TOKEN}, Bearer ${TOKEN}`],
    ['one character', 'Bearer x'],
    ['no token', 'Bearer'],
    ['an empty token', 'Bearer '],
    ['the token without a scheme', TOKEN],
    ['the token without a space after the scheme', `Bearer${TOKEN}`],
    ['the token in quotes', `Bearer "${TOKEN}"`],
    ['the Basic scheme', `Basic ${Buffer.from(`:${TOKEN}`).toString('base64')}`],
    ['the token under the Basic scheme', `Basic ${TOKEN}`],
    ['another scheme that ends in Bearer', `xBearer ${TOKEN}`],
    ['the token in base64', `Bearer ${Buffer.from(TOKEN).toString('base64')}`],
    ['12,000 characters', `Bearer ${'x'.repeat(12_000)}`],
    ['12,000 spaces', `Bearer${' '.repeat(12_000)}x`],
    ['bytes that are not ASCII', 'Bearer \u00e9\u00ff'],
  ])('refuses %s', async (_, authorization) => {
    const { url } = await ksmService();
    await request(url)
      .get('/api/v1/keys')
      .set('Authorization', authorization)
      .expect(refused(401, 'UNAUTHORIZED'));
  });

  it.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER   ${TOKEN}`])(
    'accepts %s',
    async (authorization) => {
      const { url } = await ksmService();
      await request(url).get('/api/v1/keys').set('Authorization', authorization).expect(200);
    },
  );

  it('ignores tokens in the query or in a cookie', async () => {
    const { url } = await ksmService();
    await request(url)
      .get(`/api/v1/keys?token=${TOKEN}&access_token=${TOKEN}`)
      .set('Cookie', `token=${TOKEN}`)
      .expect(401);
  });

  it('uses the first of two Authorization headers', async () => {
    const { url } = await ksmService();
    const lines = ['GET /api/v1/keys HTTP/1.1', 'Host: localhost', 'Connection: close'];
    const both = [...lines, 'Authorization: Bearer x', `Authorization: Bearer ${TOKEN}`];
    expect(await exchange(url, formatRequest(both)).answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('requires the token from this machine too, even with dangerouslyManageKeysWithoutToken', async () => {
    const { url } = await ksmService({ dangerouslyManageKeysWithoutToken: true });
    await request(url).get('/api/v1/keys').expect(401);
  });

  it('is impossible without a token and without dangerouslyManageKeysWithoutToken', async () => {
    const service = await ksmService({ managementToken: undefined });
    for (const test of [listKeys(service), addKey(service, KEY), deleteKey(service, KEY.key_id)]) {
      const { body } = await test.expect(401);
      expect(body).toMatchObject({ error_code: 'UNAUTHORIZED', message: /no management token/ });
    }
  });

  it.each([
    ['15 characters', 'x'.repeat(15)],
    ['a number', 1234567890123456],
    ['an empty string', ''],
    ['null', null],
    ['an array', ['x'.repeat(16)]],
    ['a trailing line break, as in a file', `${TOKEN}\n`],
    ['spaces inside', 'correct horse battery staple'],
    ['letters that a header cannot contain', `${TOKEN}é€`],
  ])('refuses %s as the token', (_, managementToken) => {
    const options = { keys, counters, managementToken: managementToken as string };
    expect(() => ksmListener(options)).toThrow(/^managementToken must/);
    expect(() => ksmListener(options)).toThrow(TypeError);
  });
});

describe('managing keys with dangerouslyManageKeysWithoutToken', () => {
  const options = { dangerouslyManageKeysWithoutToken: true };

  it('works from this machine, as in the examples of the reference', async () => {
    const { url } = await ksmService({ ...options, managementToken: undefined });
    await request(url).post('/api/v1/keys').send(KEY).expect(201);
    await request(url).get('/api/v1/keys').expect(200);
    await request(url).delete(`/api/v1/keys/${KEY.key_id}`).expect(200);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1:8002'],
    ['127.1.2.3', 'localhost'],
    ['::1', '[::1]:8002'],
    ['::1', '[::1]'],
    ['::ffff:127.0.0.1', 'LOCALHOST:8002'],
  ])('works from %s with the host %s', async (address, host) => {
    expect(await statusFrom(options, { address, headers: { host } })).toBe(200);
  });

  it.each([
    '192.0.2.1',
    '10.0.0.1',
    '::ffff:192.0.2.1',
    '::',
    '2001:db8::1',
    '0.0.0.0',
    '',
    'localhost.evil',
  ])('does not work from %j', async (address) => {
    for (const [method, path] of MANAGING) {
      expect(await statusFrom(options, { address, method, path })).toBe(403);
    }
  });

  it('does not work if the address is unknown, as over a Unix socket', async () => {
    expect(await statusFrom(options, { address: undefined })).toBe(403);
  });

  it.each([
    'evil.example',
    'evil.example:8002',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1.evil.example:8002',
    'evil.example:80:8002',
    'ksm.internal',
    '192.0.2.1:8002',
    '0.0.0.0:8002',
    '[::]:8002',
    '',
    undefined,
  ])('does not work with the host %j, which may be that of a web page (DNS rebinding)', async (host) => {
    expect(await statusFrom(options, { address: '127.0.0.1', headers: { host } })).toBe(403);
  });

  it.each([
    ['forwarded', 'for=192.0.2.1'],
    ['via', '1.1 proxy'],
    ['x-forwarded-for', '192.0.2.1'],
    ['x-forwarded-for', '127.0.0.1'],
    ['x-forwarded-for', ''],
    ['x-forwarded-host', 'ksm.example'],
    ['x-real-ip', '192.0.2.1'],
  ])('does not work through a proxy that sends %s: %s', async (name, value) => {
    expect(await statusFrom(options, { address: '127.0.0.1', headers: { [name]: value } })).toBe(403);
  });

  it('does not rely on addressOf, which a client may have deceived', async () => {
    const addressOf = () => '127.0.0.1';
    expect(await statusFrom({ ...options, addressOf }, { address: '192.0.2.1' })).toBe(403);
  });
});

describe('allowDecryptFrom', () => {
  const OTP = new SoftYubikey().press();
  const decryptFrom = (allowDecryptFrom: string[] | undefined, address: string | undefined) =>
    statusFrom({ allowDecryptFrom }, { address, path: `/wsapi/decrypt?otp=${OTP}` });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1', '::ffff:192.0.2.1'],
    ['192.0.2.1', '::ffff:c000:201'],
    ['192.0.2.0/24', '192.0.2.255'],
    ['192.0.2.77/24', '192.0.2.1'],
    ['10.0.0.0/8', '::ffff:10.255.255.255'],
    ['0.0.0.0/0', '203.0.113.9'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
    ['2001:db8::/32', '2001:db8:ffff::1'],
    ['fe80::/10', 'fe80::1%eth0'],
    ['::1', '::1'],
    ['::/0', '2001:db8::1'],
  ])('%s allows %s', async (range, address) => {
    expect(await decryptFrom(['198.51.100.1', range], address)).toBe(200);
  });

  it.each([
    ['192.0.2.1', '192.0.2.2'],
    ['192.0.2.1', '::ffff:192.0.2.2'],
    ['192.0.2.1', '::192.0.2.1'],
    ['192.0.2.0/24', '192.0.3.0'],
    ['192.0.2.0/31', '192.0.2.2'],
    ['127.0.0.0/8', '::1'],
    ['2001:db8::/32', '2001:db9::1'],
    ['2001:db8::1', '192.0.2.1'],
    ['0.0.0.0/0', '2001:db8::1'],
    ['192.0.2.1', undefined],
    ['192.0.2.1', ''],
    ['0.0.0.0/0', 'unknown'],
    ['0.0.0.0/0', '192.0.2.1, 192.0.2.2'],
    ['192.0.2.1', '192.0.2.1:8002'],
  ])('%s does not allow %s', async (range, address) => {
    expect(await decryptFrom([range], address)).toBe(403);
  });

  it('allows every address by default, and none if it is empty', async () => {
    expect(await decryptFrom(undefined, undefined)).toBe(200);
    expect(await decryptFrom([], '127.0.0.1')).toBe(403);
  });

  it('applies to both protocols, before the body is read, and to no other path', async () => {
    const { url, counters } = await ksmService({ allowDecryptFrom: ['192.0.2.1'] });
    await request(url).post('/api/v1/decrypt').send({ otp: OTP }).expect(refused(403, 'FORBIDDEN'));
    await request(url)
      .get(`/wsapi/decrypt/?otp=${OTP}`)
      .expect('Content-Type', 'text/plain; charset=utf-8')
      .expect(403, 'ERR This address may not decrypt OTPs here\n');
    const head = [
      'POST /api/v1/decrypt HTTP/1.1',
      'Host: localhost',
      'Content-Type: application/json',
      'Content-Length: 50',
    ];
    const { socket, answer } = exchange(url, formatRequest(head));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    expect(await answer).toMatch(/^HTTP\/1\.1 403 /);
    await listKeys({ url }).expect(200);
    await request(url).get('/health').expect(200);
    expect((await counters.list()).records).toEqual([]);
  });

  it('uses addressOf if it is set', async () => {
    const headers = { 'x-client': '192.0.2.1' };
    const options = {
      allowDecryptFrom: ['192.0.2.1'],
      addressOf: (req: IncomingMessage) => req.headers['x-client'] as string | undefined,
    };
    const path = `/wsapi/decrypt?otp=${OTP}`;
    expect(await statusFrom(options, { address: '127.0.0.1', headers, path })).toBe(200);
    expect(await statusFrom(options, { address: '192.0.2.1', path })).toBe(403);
  });

  it.each([
    '',
    ' ',
    'localhost',
    '10.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/9',
    '10.0.0.0/8 ',
    '10.0.0.0/a',
    '10.0.0.0/0x8',
    '10.0.0.0/8.0',
    '10.0.0.0/255.0.0.0',
    '10.0.0.*',
    '10.0.0.0-10.0.0.9',
    '010.0.0.1',
    '10.0.0.256',
    '2001:db8::/129',
    '2001:db8:::/32',
    '[::1]',
    '10.0.0.1:80',
    '10.0.0.1, 10.0.0.2',
    '/8',
    undefined,
    null,
    8,
  ])('refuses the range %j', (range) => {
    const options = { keys, counters, allowDecryptFrom: [range as string] };
    expect(() => ksmListener(options)).toThrow(/^allowDecryptFrom takes addresses and ranges/);
    expect(() => ksmListener(options)).toThrow(TypeError);
  });

  it.each(['10.0.0.0/8', 8, {}])('refuses %j instead of an array', (allowed) => {
    const options = { keys, counters, allowDecryptFrom: allowed as string[] };
    expect(() => ksmListener(options)).toThrow(TypeError);
  });
});

describe('ksmListener', () => {
  it.each([
    ['no options', undefined, /^ksmListener requires keys/],
    ['no keys', { counters }, /^ksmListener requires keys/],
    ['a whole store as keys', { keys: new MemoryStore(), counters }, /^ksmListener requires keys/],
    ['no counters', { keys }, /^ksmListener requires counters/],
    ['a key store as counters', { keys, counters: keys }, /^ksmListener requires counters/],
  ])('refuses %s', (_, options, message) => {
    expect(() => ksmListener(options as unknown as KsmListenerOptions)).toThrow(message);
    expect(() => ksmListener(options as unknown as KsmListenerOptions)).toThrow(TypeError);
  });
});
