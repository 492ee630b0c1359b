import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { NewKey } from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { FORGED_TOKENS, REFERENCE_AES_KEY } from '../../support/ksm/forged.js';
import { ksmService, wsapi } from '../../support/server/ksm/service.js';
import { corruptOtps, genuineOtps, type OtpVector } from '../../support/vectors.js';

const bytes = (hex: string) => Buffer.from(hex, 'hex');
const digits = (value: number, length: number) => value.toString(16).padStart(length, '0');
const toNewKey = ({ publicId, aesKey, privateId }: OtpVector): NewKey => ({
  publicId,
  aesKey: bytes(aesKey),
  privateId: bytes(privateId),
});

/** A service with one key, and a function that returns its answer at `wsapi`. */
async function serviceWith(key: NewKey, options: Parameters<typeof ksmService>[0] = {}) {
  const service = await ksmService(options);
  await service.keys.add(key);
  const ask = async (otp: string) => (await wsapi(service, otp).expect(200)).text;
  return { ...service, ask };
}

const unpinned = ({ publicId, aesKey }: SoftYubikey) => ({ publicId, aesKey });

describe('GET /wsapi/decrypt', () => {
  it('answers the self-test of yubikey-ksm, byte for byte', async () => {
    const vector = genuineOtps.find(({ publicId }) => publicId === 'idkfefrdhtru') as OtpVector;
    const { ask } = await serviceWith(toNewKey(vector));
    expect(await ask('idkfefrdhtrutjduvtcjbfeuvhehdvjjlbchtlenfgku')).toBe(
      'OK counter=0001 low=8d40 high=0f use=00\n',
    );
  });

  it.each(genuineOtps)('decrypts $otp, with the counter as it is in the token', async (vector) => {
    const { ask } = await serviceWith(toNewKey(vector));
    const { usageCounter, timestampLow, timestampHigh, sessionUse } = vector;
    expect(await ask(vector.otp)).toBe(
      `OK counter=${digits(usageCounter, 4)} low=${digits(timestampLow, 4)} ` +
        `high=${digits(timestampHigh, 2)} use=${digits(sessionUse, 2)}\n`,
    );
  });

  it.each(corruptOtps)('reports $otp as corrupt', async ({ publicId, aesKey, otp }) => {
    const { ask } = await serviceWith({ publicId, aesKey: bytes(aesKey), privateId: Buffer.alloc(6) });
    expect(await ask(otp)).toBe('ERR Corrupt OTP\n');
  });

  it('reports an OTP with another private ID as corrupt', async () => {
    const yubikey = new SoftYubikey({ privateId: '000000000001' });
    const { ask } = await serviceWith({ ...unpinned(yubikey), privateId: Buffer.alloc(6) });
    expect(await ask(yubikey.press())).toBe('ERR Corrupt OTP\n');
  });

  it.each([
    ['Key not found', false],
    ['Unknown yubikey', true],
  ])('answers ERR %s for a key that is unknown or disabled', async (words, yubikeyKsmWording) => {
    const yubikey = new SoftYubikey();
    const { publicId, aesKey, privateId } = yubikey;
    const { ask } = await serviceWith({ publicId, aesKey, privateId, active: false }, { yubikeyKsmWording });
    expect(await ask(yubikey.press())).toBe(`ERR ${words}\n`);
    expect(await ask(new SoftYubikey().press())).toBe(`ERR ${words}\n`);
  });

  const otp = new SoftYubikey().press();

  it.each(['', '?', '?otp=', '?otp', '?otp=&otp=', '?OTP=cc', '?opt=cc', '?=otp'])(
    'ERR No OTP provided: %j',
    async (query) => {
      const { url } = await ksmService();
      await request(url).get(`/wsapi/decrypt${query}`).expect(200, 'ERR No OTP provided\n');
    },
  );

  it.each([
    ['upper case', otp.toUpperCase()],
    ['an upper-case letter', `C${otp.slice(1)}`],
    ['a space', `%20${otp}`],
    ['a plus sign', `+${otp}`],
    ['a line break', `${otp}%0d%0aOK`],
    ['a NUL', `${otp}%00`],
    ['an incomplete percent-encoding', `${otp}%`],
    ['invalid UTF-8', `${otp}%ff`],
    ['another keyboard layout', 'jjjjjjjjjjjjjxe.uidchtnbpygkjxe.uidchtnbpygk'],
    ['a URL of a key', encodeURIComponent(`https://my.yubico.com/yk/#${otp}`)],
    ['31 letters', 'c'.repeat(31)],
    ['49 letters', 'c'.repeat(49)],
    ['8,000 letters', 'c'.repeat(8000)],
    ['two OTPs', `${otp}&otp=${otp}`],
    ['an empty OTP after one', `${otp}&otp=`],
    ['SQL', "c'%20OR%201=1%20--"],
  ])('ERR Invalid OTP format: %s', async (_, query) => {
    const service = await ksmService();
    await wsapi(service, query).expect(200, 'ERR Invalid OTP format\n');
  });

  it('ignores other parameters', async () => {
    const yubikey = new SoftYubikey();
    const { ask } = await serviceWith(yubikey);
    expect(await ask(`${yubikey.press()}&otp[]=c&id=1&status=OK`)).toMatch(/^OK counter=0001 /);
  });

  it('is stateless: it decrypts an OTP any number of times, and changes no counters', async () => {
    const yubikey = new SoftYubikey();
    const { ask, counters } = await serviceWith(yubikey);
    const [first, second] = [yubikey.press(), yubikey.press()];
    for (const otp of [second, first, second]) expect(await ask(otp)).toMatch(/^OK /);
    expect((await counters.list()).records).toEqual([]);
  });

  it('ERR Database error when a store fails, without details', async () => {
    const yubikey = new SoftYubikey();
    const { ask, keys } = await serviceWith(yubikey);
    keys.get = () => Promise.reject(new Error('password=hunter2'));
    expect(await ask(yubikey.press())).toBe('ERR Database error\n');
  });
});

describe('GET /wsapi/decrypt for a key without a private ID', () => {
  it('ERR Private ID unknown, however often it is sent', async () => {
    const yubikey = new SoftYubikey();
    const { ask, keys } = await serviceWith(unpinned(yubikey));
    for (let n = 0; n < 3; n++) expect(await ask(yubikey.press())).toBe('ERR Private ID unknown\n');
    expect((await keys.get(yubikey.publicId))?.privateId).toBeUndefined();
  });

  it('decrypts with allowUnpinnedKeys, even a random token that passes the CRC', async () => {
    const yubikey = new SoftYubikey({ publicId: 'cccccccccccc', aesKey: REFERENCE_AES_KEY });
    const { ask, counters } = await serviceWith(unpinned(yubikey), { allowUnpinnedKeys: true });
    expect(await ask(yubikey.press())).toMatch(/^OK counter=0001 /);
    expect(await ask(`cccccccccccc${FORGED_TOKENS[0]}`)).toMatch(/^OK counter=c24b /);
    expect(await ask(`cccccccccccc${'c'.repeat(32)}`)).toBe('ERR Corrupt OTP\n');
    expect((await counters.list()).records).toEqual([]);
  });

  it('decrypts once the private ID was pinned at the REST API', async () => {
    const yubikey = new SoftYubikey();
    const { ask, url } = await serviceWith(unpinned(yubikey));
    for (const status of [422, 200]) {
      await request(url).post('/api/v1/decrypt').send({ otp: yubikey.press() }).expect(status);
    }
    expect(await ask(yubikey.press())).toMatch(/^OK /);
  });
});

describe('GET /wsapi/decrypt with refuseWsapiReplays', () => {
  const refuseWsapiReplays = true;

  it('ERR Replayed OTP for a used OTP and for older ones', async () => {
    const yubikey = new SoftYubikey();
    const { ask } = await serviceWith(yubikey, { refuseWsapiReplays });
    const [first, second] = [yubikey.press(), yubikey.press()];
    expect(await ask(second)).toMatch(/^OK /);
    for (const otp of [first, second]) expect(await ask(otp)).toBe('ERR Replayed OTP\n');
  });

  it('refuses an OTP that the REST API decrypted, and the other way round', async () => {
    const yubikey = new SoftYubikey();
    const { ask, url } = await serviceWith(yubikey, { refuseWsapiReplays });
    const rest = (otp: string) => request(url).post('/api/v1/decrypt').send({ otp });
    const [first, second] = [yubikey.press(), yubikey.press()];
    await rest(first).expect(200);
    expect(await ask(first)).toBe('ERR Replayed OTP\n');
    expect(await ask(second)).toMatch(/^OK /);
    await rest(second).expect(409);
  });

  it('decrypts an OTP once, of fifty simultaneous requests', async () => {
    const yubikey = new SoftYubikey();
    const { ask } = await serviceWith(yubikey, { refuseWsapiReplays });
    const otp = yubikey.press();
    const lines = await Promise.all(Array.from({ length: 50 }, () => ask(otp)));
    expect(lines.filter((line) => line.startsWith('OK '))).toHaveLength(1);
    expect(lines.filter((line) => line === 'ERR Replayed OTP\n')).toHaveLength(49);
  });

  it('decrypts no OTP of a key without a private ID, however often it is sent, and stores nothing', async () => {
    const yubikey = new SoftYubikey();
    const { ask, keys, counters } = await serviceWith(unpinned(yubikey), { refuseWsapiReplays });
    for (let n = 0; n < 3; n++) expect(await ask(yubikey.press())).toBe('ERR Private ID unknown\n');
    expect((await keys.get(yubikey.publicId))?.privateId).toBeUndefined();
    expect((await counters.list()).records).toEqual([]);
  });

  it('decrypts each OTP of such a key once with allowUnpinnedKeys, at wsapi or at the REST API', async () => {
    const yubikey = new SoftYubikey();
    const options = { refuseWsapiReplays, allowUnpinnedKeys: true };
    const { ask, url, keys } = await serviceWith(unpinned(yubikey), options);
    const rest = (otp: string) => request(url).post('/api/v1/decrypt').send({ otp });
    const [first, second, third] = [yubikey.press(), yubikey.press(), yubikey.press()];
    expect(await ask(first)).toMatch(/^OK /);
    expect(await ask(second)).toMatch(/^OK /);
    for (const used of [first, second]) {
      expect(await ask(used)).toBe('ERR Replayed OTP\n');
      await rest(used).expect(409);
    }
    expect((await keys.get(yubikey.publicId))?.privateId).toBeUndefined();
    await rest(third).expect(200);
    expect(await ask(third)).toBe('ERR Replayed OTP\n');
  });
});
