import request from 'supertest';
import { describe, expect, it } from 'vitest';
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
  TOKEN,
  withPrivateId,
} from '../../support/server/ksm/service.js';
import { STORES } from '../../support/server/ksm/stores.js';

const sqlite = STORES.find(({ name }) => name === 'SQLite') as (typeof STORES)[number];
const KEY = { key_id: 'cccccccccccc', aes_key: '31323334353637383930313233343536' };
const OTP = `cccccccccccc${'c'.repeat(32)}`;
const service = async () => ksmService({}, await sqlite.open());

async function expectNothingStored({ keys, counters }: Service): Promise<void> {
  expect((await keys.list()).records).toEqual([]);
  expect((await counters.list()).records).toEqual([]);
}

const HOSTILE: [string, string][] = [
  ['SQL', "'; DROP TABLE yubikey_keys; --"],
  ['SQL of 12 characters', "' OR 1=1 OR '"],
  ['SQL with a comment', 'cccccc/**/--'],
  ['a Redis command', '\r\nFLUSHALL\r\n'],
  ['a Redis bulk string', '*1\r\n$8\r\nFLUSHALL\r\n'],
  ['a Redis key pattern', 'yubikey:*{1}'],
  ['text with a NUL', 'ccccc\0cccccc'],
  ['text with a trailing NUL', 'ccccccccccc\0'],
  ['text with a trailing newline', 'cccccccccccc\n'],
  ['text with a newline in place of a letter', 'ccccccccccc\n'],
  ['a carriage return', 'ccccccccccc\r'],
  ['a lone surrogate', 'ccccccccccc\ud800'],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['a path', '../../../etc/passwd'],
  ['a format string', '%s%s%s%n'],
  ['letters of another script', 'сссссссссссс'],
  ['12,000 letters', 'c'.repeat(12_000)],
];

const WRONG_TYPES: [string, unknown][] = [
  ['a number', 111111111111],
  ['a boolean', true],
  ['an array of the text', 'ARRAY'],
  ['an object', {}],
  ['an object with the members of a string', { toString: 'c', length: 12 }],
  ['an empty array', []],
];

const EXPECTED_CODES = {
  key_id: /^INVALID_KEY_ID_(LENGTH|FORMAT)$/,
  aes_key: /^INVALID_AES_KEY_(LENGTH|FORMAT)$/,
  private_id: /^INVALID_PRIVATE_ID$/,
  otp: /^INVALID_OTP$/,
};
type Field = keyof typeof EXPECTED_CODES;
const fields = Object.keys(EXPECTED_CODES) as Field[];
const GOOD: Record<Field, string> = { ...KEY, private_id: '000000000000', otp: OTP };

describe.each(fields)('POST /api/v1/keys: %s', (field) => {
  const wrong = WRONG_TYPES.map(
    ([name, value]) => [name, value === 'ARRAY' ? [GOOD[field]] : value] as const,
  );

  it.each([...HOSTILE, ...wrong])('%s is refused, and nothing is stored', async (_, value) => {
    const one = await service();
    const { body, status } = await addKey(one, { ...KEY, [field]: value });
    expect(status).toBe(400);
    expect(body.error_code).toMatch(EXPECTED_CODES[field]);
    expect(body).toEqual({ status: 'ERROR', error_code: expect.any(String), message: expect.any(String) });
    await expectNothingStored(one);
  });
});

describe('POST /api/v1/keys: description', () => {
  it.each([
    ['a NUL', 'a\0b'],
    ['a newline', 'a\nb'],
    ['an escape sequence', 'a\x1b[2J'],
    ['a delete character', 'a\x7f'],
    ['a lone surrogate', 'a\ud800'],
    ['1,001 characters', 'x'.repeat(1001)],
    ['a number', 1],
    ['an array', ['a']],
    ['an object', {}],
    ['a boolean', false],
  ])('with %s is refused, and nothing is stored', async (_, description) => {
    const one = await service();
    await addKey(one, { ...KEY, description }).expect(refused(400, 'INVALID_DESCRIPTION'));
    await expectNothingStored(one);
  });

  it.each([
    "Robert'); DROP TABLE yubikey_keys; --",
    '<script>alert(1)</script>',
    '{{7*7}} %s $(reboot) `reboot`',
    '"\\"\\\\',
    'Jürgen 🔑 鍵',
    'x'.repeat(1000),
    '__proto__',
  ])('is stored and returned unchanged: %j', async (description) => {
    const one = await service();
    await addKey(one, { ...KEY, description }).expect(201);
    const { body } = await listKeys(one).expect(200);
    expect(body.keys).toMatchObject([{ key_id: KEY.key_id, description }]);
  });
});

describe('POST /api/v1/decrypt: otp', () => {
  it.each([
    ...HOSTILE,
    ...WRONG_TYPES.map(([name, value]): [string, unknown] => [name, value === 'ARRAY' ? [OTP] : value]),
    ['null', null],
    ['an OTP with a trailing newline', `${OTP}\n`],
    ['an OTP with a trailing NUL', `${OTP}\0`],
    ['an OTP with a leading space', ` ${OTP}`],
    ['an OTP in upper case', OTP.toUpperCase()],
    ['an OTP with one upper-case letter', `C${OTP.slice(1)}`],
    ['an OTP in a URL', `https://my.yubico.com/yk/#${OTP}`],
    ['49 letters', 'c'.repeat(49)],
    ['31 letters', 'c'.repeat(31)],
  ])('%s is refused, and nothing is stored', async (_, otp) => {
    const one = await service();
    await addKey(one, { ...KEY, private_id: '000000000000' }).expect(201);
    await decrypt(one, otp).expect(refused(400, 'INVALID_OTP'));
    expect((await one.counters.list()).records).toEqual([]);
  });
});

describe('DELETE /api/v1/keys/:key_id', () => {
  it.each([
    ['SQL', encodeURIComponent("' OR 1=1 --"), 'INVALID_KEY_ID_LENGTH'],
    ['a percent-encoded key ID', '%63'.repeat(12), 'INVALID_KEY_ID_LENGTH'],
    ['four percent-encoded letters', '%63'.repeat(4), 'INVALID_KEY_ID_FORMAT'],
    ['a NUL', 'ccccccccc%00', 'INVALID_KEY_ID_FORMAT'],
    ['an asterisk', '*', 'INVALID_KEY_ID_LENGTH'],
    ['twelve asterisks', '*'.repeat(12), 'INVALID_KEY_ID_FORMAT'],
    ['upper case', 'CCCCCCCCCCCC', 'INVALID_KEY_ID_FORMAT'],
    ['8,000 letters', 'c'.repeat(8000), 'INVALID_KEY_ID_LENGTH'],
    ['__proto__', '__proto__', 'INVALID_KEY_ID_LENGTH'],
  ])('refuses %s, and deletes nothing', async (_, keyId, code) => {
    const one = await service();
    await addKey(one, KEY).expect(201);
    await deleteKey(one, keyId).expect(refused(400, code));
    expect(await one.keys.get(KEY.key_id)).toBeDefined();
  });

  it('ignores the query', async () => {
    const one = await service();
    await addKey(one, KEY).expect(201);
    await deleteKey(one, `${KEY.key_id}?key_id=dddddddddddd`).expect(200);
  });
});

describe('a JSON body', () => {
  const deep = (open: string, close: string) => open.repeat(5000) + close.repeat(5000);

  it.each([
    ['no body', ''],
    ['a space', ' '],
    ['half an object', '{"key_id":"cccccccccccc"'],
    ['two objects in a row', '{}{}'],
    ['a trailing comma', '{"key_id":"cccccccccccc",}'],
    ['single quotes', "{'key_id':'cccccccccccc'}"],
    ['a byte order mark in UTF-16', '\ufffe{}'],
    ['an array', '[]'],
    ['an array of an object', JSON.stringify([KEY])],
    ['null', 'null'],
    ['a number', '1'],
    ['a string', '"cccccccccccc"'],
    ['a form', 'key_id=cccccccccccc'],
    ['a newline inside a string', '{"key_id":"ccccc\ncccccc"}'],
    ['5,000 nested arrays', deep('[', ']')],
    ['NaN', '{"key_id":NaN}'],
  ])('%s: INVALID_JSON, and nothing is stored', async (_, body) => {
    const one = await service();
    await addKey(one, body).expect(refused(400, 'INVALID_JSON'));
    await request(one.url)
      .post('/api/v1/decrypt')
      .type('application/json')
      .send(body)
      .expect(refused(400, 'INVALID_JSON'));
    await expectNothingStored(one);
  });

  it('with a deeply nested member is refused because of that member', async () => {
    const one = await service();
    await addKey(one, `{"key_id":${deep('[', ']')}}`).expect(refused(400, 'INVALID_KEY_ID_FORMAT'));
    await addKey(one, `{"key_id":${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}}`).expect(
      refused(400, 'INVALID_KEY_ID_FORMAT'),
    );
  });

  it('is read without inherited members', async () => {
    const one = await service();
    const inherited = `{"__proto__":${JSON.stringify(KEY)}}`;
    await addKey(one, inherited).expect(refused(400, 'MISSING_KEY_ID'));
    await addKey(one, `{"constructor":{"prototype":${JSON.stringify(KEY)}}}`).expect(
      refused(400, 'MISSING_KEY_ID'),
    );
    expect(({} as Record<string, unknown>).key_id).toBeUndefined();
    await expectNothingStored(one);
  });

  it('may repeat a member: the last one counts, as with JSON.parse', async () => {
    const one = await service();
    const body = `{"key_id":"dddddddddddd","aes_key":"${KEY.aes_key}","key_id":"cccccccccccc"}`;
    await addKey(one, body).expect(201, { status: 'success', key_id: 'cccccccccccc' });
    expect(await one.keys.get('dddddddddddd')).toBeUndefined();
  });

  it('may have unknown members', async () => {
    await addKey(await service(), { ...KEY, status: 'OK', active: false, publicId: 'dd' }).expect(201);
  });

  it('that is not UTF-8: INVALID_JSON, and nothing is stored', async () => {
    const one = await service();
    const { url } = one;
    for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
      const text = JSON.stringify({ ...KEY, description: '#' });
      const body = Buffer.concat(
        text
          .split('#')
          .flatMap((part, n) => (n ? [Buffer.from(bytes), Buffer.from(part)] : [Buffer.from(part)])),
      );
      const response = await fetch(`${url}/api/v1/keys`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' },
        body,
      });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error_code: 'INVALID_JSON' });
    }
    await expectNothingStored(one);
  });

  it.each([
    undefined,
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'application/json, text/plain',
    'application/xml; application/json',
  ])('of type %s: UNSUPPORTED_MEDIA_TYPE, HTTP 415, and nothing is stored', async (type) => {
    const one = await service();
    const response = await fetch(`${one.url}/api/v1/keys`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${TOKEN}`, ...(type && { 'Content-Type': type }) },
      body: Buffer.from(JSON.stringify(KEY)),
    });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ error_code: 'UNSUPPORTED_MEDIA_TYPE' });
    await expectNothingStored(one);
  });

  it.each(['application/json;charset=utf-8', 'Application/JSON', 'application/json ; charset=UTF-8'])(
    'of type %s is read',
    async (type) => {
      const one = await service();
      await asManager(request(one.url).post('/api/v1/keys'))
        .set('Content-Type', type)
        .send(JSON.stringify(KEY))
        .expect(201);
    },
  );
});

it('the answer to an OTP of an unknown key reveals nothing about the stored keys', async () => {
  const one = await service();
  const yubikey = new SoftYubikey();
  await addKey(one, withPrivateId(yubikey)).expect(201);
  const { body } = await decrypt(one, new SoftYubikey().press()).expect(404);
  expect(JSON.stringify(body)).not.toContain(yubikey.publicId);
});
