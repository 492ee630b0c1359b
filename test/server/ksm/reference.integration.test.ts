import { existsSync, readFileSync } from 'node:fs';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { KsmVerifier, LocalKsm, parseOtp } from '../../../src/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import {
  addKey,
  asManager,
  decrypt,
  deleteKey,
  ksmService,
  listKeys,
  refused,
  type Service,
  withoutPrivateId,
  withPrivateId,
  wsapi,
} from '../../support/server/ksm/service.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const HEX = '31323334353637383930313233343536';
const BASE64 = 'MTIzNDU2Nzg5MDEyMzQ1Ng==';
const BASE64URL = 'MTIzNDU2Nzg5MDEyMzQ1Ng';
const JOHN = { key_id: 'cccccccccccc', aes_key: BASE64, description: 'John Doe YubiKey' };
const JANE = { key_id: 'dddddddddddd', aes_key: HEX, description: 'Jane Doe YubiKey' };
/** From the reference. No YubiKey has generated it. */
const SAMPLE_OTP = 'ccccccccccccjktuvurlnlnvghubeukgkejrliudllkv';

const json = (test: request.Test) => test.expect('Content-Type', 'application/json');

describe('the KSM REST API reference, "Health Check"', () => {
  it('answers that it is healthy, without authentication', async () => {
    const { url } = await ksmService();
    await json(request(url).get('/health')).expect(200, {
      status: 'healthy',
      database: { status: 'connected' },
    });
  });
});

describe('the KSM REST API reference, "Key Management"', () => {
  it.each([
    ['"Using Base64 Format"', JOHN],
    ['"Using Hex Format"', JANE],
    ['URL-safe base64', { ...JOHN, aes_key: BASE64URL }],
    ['a key without a description', { key_id: 'cccccccccccc', aes_key: HEX }],
  ])('adds a key: %s', async (_, body) => {
    const service = await ksmService();
    await json(addKey(service, body)).expect(201, { status: 'success', key_id: body.key_id });
    const key = await service.keys.get(body.key_id);
    expect(key).toMatchObject({
      active: true,
      privateId: undefined,
      notes: 'description' in body ? body.description : '',
    });
    expect(Buffer.from(key?.aesKey ?? [])).toEqual(Buffer.from('1234567890123456'));
  });

  it('lists keys, without their secrets', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey({ publicId: 'cccccccccccc' });
    await addKey(service, { ...withPrivateId(yubikey), description: 'John Doe YubiKey' }).expect(201);
    await addKey(service, JANE).expect(201);
    for (let n = 0; n < 5; n++) await decrypt(service, yubikey.press()).expect(200);
    const { body } = await json(listKeys(service)).expect(200);
    expect(body).toEqual({
      status: 'success',
      keys: [
        {
          key_id: 'cccccccccccc',
          description: 'John Doe YubiKey',
          created_at: expect.stringMatching(TIME),
          last_used: expect.stringMatching(TIME),
          usage_count: 5,
          active: true,
          private_id_known: true,
        },
        {
          key_id: 'dddddddddddd',
          description: 'Jane Doe YubiKey',
          created_at: expect.stringMatching(TIME),
          last_used: null,
          usage_count: 0,
          active: true,
          private_id_known: false,
        },
      ],
    });
  });

  it('lists no keys', async () => {
    const service = await ksmService();
    await json(listKeys(service)).expect(200, { status: 'success', keys: [] });
  });

  it('deletes a key, and no other', async () => {
    const service = await ksmService();
    await addKey(service, JOHN).expect(201);
    await addKey(service, JANE).expect(201);
    await json(deleteKey(service, JOHN.key_id)).expect(200, { status: 'success', key_id: JOHN.key_id });
    expect(await service.keys.get(JOHN.key_id)).toBeUndefined();
    expect(await service.keys.get(JANE.key_id)).toBeDefined();
    await deleteKey(service, JOHN.key_id).expect(refused(404, 'KEY_NOT_FOUND'));
  });
});

describe('the KSM REST API reference, "OTP Validation"', () => {
  it('decrypts an OTP', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey({ usageCounter: 25 });
    await addKey(service, withPrivateId(yubikey)).expect(201);
    const [first, , , fourth] = [yubikey.press(), yubikey.press(), yubikey.press(), yubikey.press()];
    const { body } = await json(decrypt(service, fourth)).expect(200);
    expect(body).toEqual({
      status: 'OK',
      key_id: yubikey.publicId,
      counter: 26,
      timestamp_low: expect.any(Number),
      timestamp_high: expect.any(Number),
      session_use: 3,
      decrypted_at: expect.stringMatching(TIME),
      private_id_checked: true,
    });
    const counters = await service.counters.get(yubikey.publicId);
    expect((body.timestamp_high << 16) | body.timestamp_low).toBe(counters?.timestamp);
    await decrypt(service, first).expect(409);
  });

  it('does not find the key of the sample OTP', async () => {
    await decrypt(await ksmService(), SAMPLE_OTP).expect(404, {
      status: 'ERROR',
      error_code: 'KEY_NOT_FOUND',
      message: 'Key not found',
    });
  });

  it('cannot decrypt the sample OTP, which no YubiKey generated, with the sample key', async () => {
    const service = await ksmService();
    await addKey(service, JOHN).expect(201);
    await decrypt(service, SAMPLE_OTP).expect(refused(422, 'DECRYPTION_FAILED'));
    await wsapi(service, SAMPLE_OTP).expect(200, 'ERR Corrupt OTP\n');
  });

  it('answers "KSM Protocol (Legacy)"', async () => {
    const service = await ksmService();
    await wsapi(service, SAMPLE_OTP)
      .expect('Content-Type', 'text/plain; charset=utf-8')
      .expect(200, 'ERR Key not found\n');
    const yubikey = new SoftYubikey({ usageCounter: 25 });
    await addKey(service, withPrivateId(yubikey)).expect(201);
    const { text } = await wsapi(service, yubikey.press()).expect(200);
    expect(text).toMatch(/^OK counter=001a low=[0-9a-f]{4} high=[0-9a-f]{2} use=00\n$/);
  });
});

it('serves the flow of the reference: a key added without a private ID or an OTP, then decrypted', async () => {
  const service = await ksmService();
  const yubikey = new SoftYubikey({ publicId: 'cccccccccccc', aesKey: HEX });
  await addKey(service, JOHN).expect(201);
  // The reference differs: it decrypts the first OTP too, checking nothing but the CRC.
  await decrypt(service, yubikey.press()).expect(refused(422, 'PRIVATE_ID_UNKNOWN'));
  for (let n = 0; n < 2; n++) {
    const otp = yubikey.press();
    const { body } = await decrypt(service, otp).expect(200);
    expect(body).toMatchObject({ status: 'OK', key_id: JOHN.key_id, private_id_checked: true });
    await decrypt(service, otp).expect(refused(409, 'REPLAY_DETECTED'));
  }
  const { body } = await listKeys(service);
  expect(body.keys).toMatchObject([{ key_id: JOHN.key_id, private_id_known: true }]);
  await deleteKey(service, JOHN.key_id).expect(200);
  await decrypt(service, yubikey.press()).expect(refused(404, 'KEY_NOT_FOUND'));
});

interface Case {
  status: number;
  /** Sends the request that is answered with the code. */
  ask(service: Service): PromiseLike<request.Response>;
}

const adding = (body: string | object): Case => ({ status: 400, ask: (service) => addKey(service, body) });
const broken = () => Promise.reject(new Error('database is gone'));

/** "Error Codes": each with its description, and requests that are answered with it. */
const CODES: Record<string, [description: string, ...cases: Case[]]> = {
  INVALID_OTP: [
    'OTP format is invalid',
    { status: 400, ask: (service) => decrypt(service, 'not an OTP') },
    { status: 400, ask: (service) => decrypt(service, SAMPLE_OTP.toUpperCase()) },
    { status: 400, ask: (service) => decrypt(service, undefined) },
  ],
  KEY_NOT_FOUND: [
    'Key not found',
    { status: 404, ask: (service) => decrypt(service, SAMPLE_OTP) },
    { status: 404, ask: (service) => deleteKey(service, 'cccccccccccc') },
  ],
  REPLAY_DETECTED: [
    'OTP has already been used',
    {
      status: 409,
      async ask(service) {
        const yubikey = new SoftYubikey();
        await addKey(service, withPrivateId(yubikey));
        const otp = yubikey.press();
        await decrypt(service, otp).expect(200);
        return decrypt(service, otp);
      },
    },
  ],
  DECRYPTION_FAILED: [
    'OTP decryption failed',
    {
      status: 422,
      async ask(service) {
        await addKey(service, JOHN);
        return decrypt(service, SAMPLE_OTP);
      },
    },
  ],
  INVALID_JSON: [
    'Request body contains invalid JSON',
    adding('{"key_id":'),
    adding('[]'),
    {
      status: 400,
      ask: ({ url }) => request(url).post('/api/v1/decrypt').type('application/json').send('otp'),
    },
  ],
  MISSING_KEY_ID: ['Key ID field is required', adding({ aes_key: HEX }), adding({ ...JOHN, key_id: '' })],
  MISSING_AES_KEY: [
    'AES key field is required',
    adding({ key_id: 'cccccccccccc' }),
    adding({ ...JOHN, aes_key: '' }),
  ],
  INVALID_KEY_ID_LENGTH: [
    'Key ID must be exactly 12 characters',
    adding({ ...JOHN, key_id: 'ccccccccccc' }),
    adding({ ...JOHN, key_id: 'ccccccccccccc' }),
  ],
  INVALID_KEY_ID_FORMAT: [
    'Key ID contains invalid modhex characters',
    adding({ ...JOHN, key_id: 'cccccccccccx' }),
    adding({ ...JOHN, key_id: 'CCCCCCCCCCCC' }),
  ],
  INVALID_AES_KEY_FORMAT: [
    'AES key format is invalid (not hex or base64)',
    adding({ ...JOHN, aes_key: '!' }),
    adding({ ...JOHN, aes_key: `${HEX.slice(0, -1)} ` }),
  ],
  INVALID_AES_KEY_LENGTH: [
    'AES key must be exactly 16 bytes',
    adding({ ...JOHN, aes_key: Buffer.alloc(15).toString('base64') }),
    adding({ ...JOHN, aes_key: Buffer.alloc(32).toString('base64') }),
  ],
  STORAGE_ERROR: [
    'Failed to store key in database',
    {
      status: 500,
      async ask({ keys }) {
        keys.add = broken;
        keys.get = broken;
        return addKey(await ksmService({ keys }), JOHN);
      },
    },
  ],
};
const cases = Object.entries(CODES).flatMap(([code, [description, ...all]]) =>
  all.map((one, n) => ({ code, description, n: n + 1, ...one })),
);

describe('the KSM REST API reference, "Error Codes"', () => {
  it.each(cases)('$code: $description ($n)', async ({ code, status, ask }) => {
    refused(status, code)(await ask(await ksmService()));
  });

  const reference = new URL('../../../../shared/spec/ksm-rest-api-reference.txt', import.meta.url);

  it.skipIf(!existsSync(reference))('has a case for each code of the reference, and no other code', () => {
    const [, table = ''] = readFileSync(reference, 'utf8').split('\nError Codes\n');
    const rows = [...table.matchAll(/^([A-Z_]+) \| (.+) \|$/gm)].map(([, ...row]) => row);
    expect(rows.length).toBeGreaterThan(0);
    expect(Object.entries(CODES).map(([code, [description]]) => [code, description])).toEqual(rows);
  });

  it('has a case for each code', () => {
    for (const [code, [, ...all]] of Object.entries(CODES)) expect(all.length, code).toBeGreaterThan(0);
    expect(Object.keys(CODES)).toHaveLength(12);
  });

  it('has a case for each HTTP status of the reference', () => {
    const seen = new Set([200, 201, ...cases.map(({ status }) => status)]);
    expect([...seen].sort()).toEqual([200, 201, 400, 404, 409, 422, 500]);
  });
});

describe('what the KSM REST API reference has no error code for', () => {
  it.each([
    ['INVALID_PRIVATE_ID', 400, { ...JOHN, private_id: 'vvvvvvvvvvvv' }],
    ['INVALID_PRIVATE_ID', 400, { ...JOHN, private_id: '00112233445' }],
    ['INVALID_DESCRIPTION', 400, { ...JOHN, description: 'x'.repeat(1001) }],
    ['INVALID_OTP', 400, { ...JOHN, otp: 'c' }],
    ['INVALID_OTP', 400, { ...JOHN, otp: `d${SAMPLE_OTP.slice(1)}` }],
    ['DECRYPTION_FAILED', 422, { ...JOHN, otp: SAMPLE_OTP }],
  ])('%s, HTTP %i, and no key is added', async (code, status, body) => {
    const service = await ksmService();
    await addKey(service, body).expect(refused(status, code));
    await listKeys(service).expect(200, { status: 'success', keys: [] });
  });

  it('KEY_EXISTS, HTTP 409, and the existing key is kept', async () => {
    const service = await ksmService();
    await addKey(service, JOHN).expect(201);
    const before = await service.keys.get(JOHN.key_id);
    const rival = { ...JOHN, aes_key: '0'.repeat(32), description: 'rival' };
    await addKey(service, rival).expect(refused(409, 'KEY_EXISTS'));
    expect(await service.keys.get(JOHN.key_id)).toEqual(before);
  });

  it.each([
    ['GET', '/api/v1/decrypt', 'POST'],
    ['PUT', '/api/v1/keys', 'GET, POST'],
    ['DELETE', '/api/v1/keys', 'GET, POST'],
    ['GET', '/api/v1/keys/cccccccccccc', 'DELETE'],
    ['POST', '/wsapi/decrypt', 'GET'],
    ['OPTIONS', '/api/v1/keys', 'GET, POST'],
  ])('METHOD_NOT_ALLOWED, HTTP 405: %s %s', async (method, path, allowed) => {
    const { url } = await ksmService();
    const response = await fetch(url + path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allowed);
    expect(await response.json()).toMatchObject({ error_code: 'METHOD_NOT_ALLOWED' });
  });

  it.each([
    '/',
    '/api',
    '/api/v1',
    '/api/v1/keys/cccccccccccc/aes_key',
    '/api/v1/keys//',
    '/wsapi',
    '/wsapi/2.0/verify',
    '//api/v1/keys',
  ])('HTTP 404 at %s', async (path) => {
    const { url } = await ksmService();
    await asManager(request(url).get(path)).expect(404, 'Nothing is served at this path\n');
  });

  it('serves a path with a trailing slash too', async () => {
    const service = await ksmService();
    await asManager(request(service.url).get('/api/v1/keys/')).expect(200);
    await request(service.url).post('/api/v1/decrypt/').send({ otp: SAMPLE_OTP }).expect(404);
    await request(service.url).get(`/wsapi/decrypt?otp=${SAMPLE_OTP}`).expect(200, 'ERR Key not found\n');
  });

  it('forbids caching of every answer', async () => {
    const service = await ksmService();
    for (const test of [listKeys(service), decrypt(service, SAMPLE_OTP), wsapi(service, SAMPLE_OTP)]) {
      await test.expect('Cache-Control', 'no-store');
    }
    await request(service.url).get('/health').expect('Cache-Control', 'no-store');
  });
});

describe('a key added with one of its OTPs', () => {
  it('takes its private ID from the OTP, which is then used up', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey();
    const otp = yubikey.press();
    await addKey(service, { ...withoutPrivateId(yubikey), otp }).expect(201);
    await decrypt(service, otp).expect(refused(409, 'REPLAY_DETECTED'));
    const { body } = await decrypt(service, yubikey.press()).expect(200);
    expect(body.private_id_checked).toBe(true);
  });

  it('is refused if the private ID of the OTP differs from the given one', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey({ privateId: '000000000001' });
    const body = { ...withPrivateId(yubikey), private_id: '000000000002', otp: yubikey.press() };
    await addKey(service, body).expect(refused(422, 'DECRYPTION_FAILED'));
    expect(await service.keys.get(yubikey.publicId)).toBeUndefined();
    expect(await service.counters.get(yubikey.publicId)).toBeUndefined();
  });

  it('is refused if the OTP was seen while the key was stored without a private ID', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey();
    const [older, otp] = [yubikey.press(), yubikey.press()];
    await addKey(service, withoutPrivateId(yubikey)).expect(201);
    await decrypt(service, otp).expect(refused(422, 'PRIVATE_ID_UNKNOWN'));
    await deleteKey(service, yubikey.publicId).expect(200);
    for (const used of [otp, older]) {
      for (const key of [withPrivateId(yubikey), withoutPrivateId(yubikey)]) {
        await addKey(service, { ...key, otp: used }).expect(refused(409, 'REPLAY_DETECTED'));
      }
    }
    expect(await service.keys.get(yubikey.publicId)).toBeUndefined();
    await addKey(service, withPrivateId(yubikey)).expect(201);
    const verifier = new KsmVerifier({ ksm: new LocalKsm(service.keys), counters: service.counters });
    expect(await verifier.verify(parseOtp(otp))).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
  });

  it('is refused if the OTP was used before the key was deleted', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey();
    const otp = yubikey.press();
    await addKey(service, withPrivateId(yubikey)).expect(201);
    await decrypt(service, otp).expect(200);
    await deleteKey(service, yubikey.publicId).expect(200);
    await addKey(service, { ...withPrivateId(yubikey), otp }).expect(refused(409, 'REPLAY_DETECTED'));
    expect(await service.keys.get(yubikey.publicId)).toBeUndefined();
  });

  it('does not raise the counters of an existing key, whatever the AES key of the request', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey();
    await addKey(service, withPrivateId(yubikey)).expect(201);
    await decrypt(service, yubikey.press()).expect(200);
    const before = await service.counters.get(yubikey.publicId);
    const rival = new SoftYubikey({ publicId: yubikey.publicId, usageCounter: 0x7000 });
    await addKey(service, { ...withPrivateId(rival), otp: rival.press() }).expect(refused(409, 'KEY_EXISTS'));
    expect(await service.counters.get(yubikey.publicId)).toEqual(before);
    await decrypt(service, yubikey.press()).expect(200);
  });

  it('is not added if its OTP cannot be used up', async () => {
    const service = await ksmService();
    service.counters.advance = broken;
    const yubikey = new SoftYubikey();
    const body = { ...withPrivateId(yubikey), otp: yubikey.press() };
    await addKey(service, body).expect(refused(500, 'STORAGE_ERROR'));
    expect(await service.keys.get(yubikey.publicId)).toBeUndefined();
  });

  it('is added once by ten simultaneous requests', async () => {
    const service = await ksmService();
    const yubikey = new SoftYubikey();
    const body = { ...withoutPrivateId(yubikey), otp: yubikey.press() };
    const answers = await Promise.all(Array.from({ length: 10 }, () => addKey(service, body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)]);
  });
});
