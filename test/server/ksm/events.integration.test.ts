import { inspect } from 'node:util';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { KsmEvent } from '../../../src/server/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import {
  addKey,
  asManager,
  decrypt,
  deleteKey,
  ksmService,
  listKeys,
  type Service,
  TOKEN,
  withoutPrivateId,
  withPrivateId,
  wsapi,
} from '../../support/server/ksm/service.js';
import { secretsIn } from '../../support/stores/secret-search.js';

const yubikey = new SoftYubikey({ publicId: 'vvcccccccccc' });
const { publicId } = yubikey;
const broken = () => Promise.reject(new Error('database is gone'));
const corrupt = `${publicId}${'c'.repeat(32)}`;

type Ask = (service: Service) => PromiseLike<unknown>;
type Expected = Pick<KsmEvent, 'operation' | 'protocol' | 'outcome' | 'httpStatus' | 'publicId'>;

const event = (
  operation: KsmEvent['operation'],
  protocol: KsmEvent['protocol'],
  outcome: string,
  httpStatus: number,
  id: string | undefined = publicId,
): Expected => ({ operation, protocol, outcome, httpStatus, publicId: id });
const withoutId = (...all: [KsmEvent['operation'], KsmEvent['protocol'], string, number]) => ({
  ...event(...all),
  publicId: undefined,
});

const CASES: [string, Expected, Ask][] = [
  ['a key was added', event('add', 'rest', 'OK', 201), (s) => addKey(s, withPrivateId(yubikey))],
  [
    'a key existed already',
    event('add', 'rest', 'KEY_EXISTS', 409),
    async (s) => {
      await s.keys.add(yubikey);
      await addKey(s, withPrivateId(yubikey));
    },
  ],
  [
    'a key was added with a wrong OTP',
    event('add', 'rest', 'DECRYPTION_FAILED', 422),
    (s) => addKey(s, { ...withPrivateId(yubikey), otp: corrupt }),
  ],
  [
    'an AES key had the wrong length',
    withoutId('add', 'rest', 'INVALID_AES_KEY_LENGTH', 400),
    (s) => addKey(s, { key_id: publicId, aes_key: 'AAAA' }),
  ],
  ['a body was not JSON', withoutId('add', 'rest', 'INVALID_JSON', 400), (s) => addKey(s, '{')],
  [
    'a body was too long',
    withoutId('add', 'rest', 'PAYLOAD_TOO_LARGE', 413),
    (s) => addKey(s, ' '.repeat(20_000)),
  ],
  [
    'a token was missing',
    withoutId('add', 'rest', 'UNAUTHORIZED', 401),
    (s) => request(s.url).post('/api/v1/keys').send(withPrivateId(yubikey)),
  ],
  ['keys were listed', withoutId('list', 'rest', 'OK', 200), (s) => listKeys(s)],
  ['a page was invalid', withoutId('list', 'rest', 'INVALID_PAGE', 400), (s) => listKeys(s, '?limit=0')],
  [
    'a key was deleted',
    event('delete', 'rest', 'OK', 200),
    async (s) => {
      await s.keys.add(yubikey);
      await deleteKey(s, publicId);
    },
  ],
  [
    'a key to delete did not exist',
    event('delete', 'rest', 'KEY_NOT_FOUND', 404),
    (s) => deleteKey(s, publicId),
  ],
  [
    'a key ID was invalid',
    withoutId('delete', 'rest', 'INVALID_KEY_ID_LENGTH', 400),
    (s) => deleteKey(s, 'c'),
  ],
  [
    'an OTP was decrypted',
    event('decrypt', 'rest', 'OK', 200),
    async (s) => {
      await s.keys.add(yubikey);
      await decrypt(s, yubikey.press());
    },
  ],
  [
    'an OTP was malformed',
    withoutId('decrypt', 'rest', 'INVALID_OTP', 400),
    (s) => decrypt(s, yubikey.press().toUpperCase()),
  ],
  ['a key was unknown', event('decrypt', 'rest', 'KEY_NOT_FOUND', 404), (s) => decrypt(s, yubikey.press())],
  [
    'an OTP was corrupt',
    event('decrypt', 'rest', 'DECRYPTION_FAILED', 422),
    async (s) => {
      await s.keys.add(yubikey);
      await decrypt(s, corrupt);
    },
  ],
  [
    'a private ID was unknown',
    event('decrypt', 'rest', 'PRIVATE_ID_UNKNOWN', 422),
    async (s) => {
      await s.keys.add({ publicId, aesKey: yubikey.aesKey });
      await decrypt(s, yubikey.press());
    },
  ],
  [
    'the store failed',
    event('decrypt', 'rest', 'STORAGE_ERROR', 500),
    (s) => {
      s.keys.get = broken;
      return decrypt(s, yubikey.press());
    },
  ],
  [
    'an OTP was decrypted at wsapi',
    event('decrypt', 'wsapi', 'OK', 200),
    async (s) => {
      await s.keys.add(yubikey);
      await wsapi(s, yubikey.press());
    },
  ],
  ['no OTP was given at wsapi', withoutId('decrypt', 'wsapi', 'MISSING_OTP', 200), (s) => wsapi(s, '')],
  ['an OTP was malformed at wsapi', withoutId('decrypt', 'wsapi', 'INVALID_OTP', 200), (s) => wsapi(s, 'c')],
  [
    'a key was unknown at wsapi',
    event('decrypt', 'wsapi', 'KEY_NOT_FOUND', 200),
    (s) => wsapi(s, yubikey.press()),
  ],
  [
    'an OTP was corrupt at wsapi',
    event('decrypt', 'wsapi', 'DECRYPTION_FAILED', 200),
    async (s) => {
      await s.keys.add(yubikey);
      await wsapi(s, corrupt);
    },
  ],
  [
    'a private ID was unknown at wsapi',
    event('decrypt', 'wsapi', 'PRIVATE_ID_UNKNOWN', 200),
    async (s) => {
      await s.keys.add({ publicId, aesKey: yubikey.aesKey });
      await wsapi(s, yubikey.press());
    },
  ],
  [
    'the store failed at wsapi',
    event('decrypt', 'wsapi', 'STORAGE_ERROR', 200),
    (s) => {
      s.keys.get = broken;
      return wsapi(s, yubikey.press());
    },
  ],
];

describe('onRequest', () => {
  it.each(CASES)('is called when %s', async (_, expected, ask) => {
    const service = await ksmService();
    const startedAt = performance.now();
    await ask(service);
    const elapsed = performance.now() - startedAt;
    expect(service.events).toEqual([
      {
        ...expected,
        milliseconds: expect.any(Number),
        address: '127.0.0.1',
        error: expected.outcome === 'STORAGE_ERROR' ? expect.any(Error) : undefined,
      },
    ]);
    expect(service.events[0]?.milliseconds).toBeGreaterThanOrEqual(0);
    expect(service.events[0]?.milliseconds).toBeLessThanOrEqual(elapsed);
  });

  it('is called for a replay, also at wsapi', async () => {
    const service = await ksmService({ refuseWsapiReplays: true });
    const own = new SoftYubikey();
    await service.keys.add(own);
    const otp = own.press();
    await decrypt(service, otp);
    await decrypt(service, otp);
    await wsapi(service, otp);
    expect(service.events).toMatchObject([
      { outcome: 'OK' },
      { outcome: 'REPLAY_DETECTED', httpStatus: 409, publicId: own.publicId },
      { outcome: 'REPLAY_DETECTED', httpStatus: 200, protocol: 'wsapi', publicId: own.publicId },
    ]);
  });

  it('gets the address that addressOf returns', async () => {
    const service = await ksmService({ addressOf: () => '192.0.2.1', allowDecryptFrom: [] });
    await decrypt(service, yubikey.press()).expect(403);
    await listKeys(service);
    expect(service.events).toMatchObject([
      { address: '192.0.2.1', outcome: 'FORBIDDEN', httpStatus: 403 },
      { address: '192.0.2.1', outcome: 'OK' },
    ]);
  });

  it('gets no AES key, private ID, token or whole OTP, whatever the request', async () => {
    const service = await ksmService({ refuseWsapiReplays: true });
    const own = new SoftYubikey();
    const otps: string[] = [];
    const press = () => {
      const otp = own.press();
      otps.push(otp);
      return otp;
    };
    const secret = 'a description nobody needs to log';
    const whole = { ...withPrivateId(own), description: secret };
    await addKey(service, { ...whole, private_id: `${whole.private_id}x` });
    await addKey(service, { ...whole, key_id: whole.aes_key });
    await addKey(service, { ...whole, otp: press() });
    await addKey(service, { ...whole, otp: press() });
    await addKey(service, JSON.stringify(whole).slice(0, -1));
    await decrypt(service, press());
    await decrypt(service, otps[0]);
    await decrypt(service, press().toUpperCase());
    await decrypt(service, `${press()}c`.repeat(2));
    await wsapi(service, press());
    await wsapi(service, `${press()}&otp=${otps[0]}`);
    await deleteKey(service, press());
    await asManager(request(service.url).get(`/api/v1/keys?after=${press()}`));
    await request(service.url).get('/api/v1/keys').set('Authorization', `Bearer ${TOKEN}x`);
    service.keys.get = () => Promise.reject(new Error('database is gone'));
    await decrypt(service, press());
    await deleteKey(service, own.publicId);
    await addKey(service, withoutPrivateId(own));

    expect(service.events.length).toBeGreaterThan(14);
    const dump = inspect(service.events, { depth: 20, showHidden: true }) + JSON.stringify(service.events);
    expect(dump).not.toContain(TOKEN);
    expect(dump).not.toContain(secret);
    for (const otp of otps) expect(dump.toLowerCase()).not.toContain(otp.slice(-32));
    const secrets = { 'AES key': own.aesKey, 'private ID': own.privateId };
    expect(secretsIn(Buffer.from(dump), secrets)).toEqual([]);
  });
});
