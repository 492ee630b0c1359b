import { describe, expect, it } from 'vitest';
import { detectKeyFormat, mayBeYkksm, withSample } from '../../src/transfer/detect.js';
import { splitLines } from '../../src/transfer/line.js';

const KEY = 'dlcfffckrcde,ca62baca62ba,ecde18dbe76fbd0c33330f1c354871db';
const YUBICO = `1,${KEY},,2013-12-11T11:10:00,\n`;
const TRADITIONAL = `Yubico OTP,11.12.2013 11:10,1,${KEY},,,0,0,0,0,0,0,0,0,0,0\n`;

async function* of(text: string | Uint8Array) {
  yield text;
}
const takeSample = async (text: string) => (await withSample(splitLines(of(text)))).sample;

describe('the format of a key file', () => {
  it.each([
    ['ykksm', `# ykksm 1\r\n# a comment\r\n1,${KEY},,2013-12-11T11:10:00,\r\n`],
    ['ykksm', `\n#  ykksm 1\n${YUBICO}`],
    ['ykksm', `4711,${KEY},000000000000,2009-01-22 00:25:11,\n`],
    ['ykksm', `4711,${KEY},000000000000,,\n`],
    ['ykksm', ''],
    ['personalization-tool', YUBICO],
    ['personalization-tool', `LOGGING START,11.12.2013 11:10\n${TRADITIONAL}`],
    ['personalization-tool', TRADITIONAL],
  ])('%s: %j', async (format, text) => {
    expect(detectKeyFormat(await takeSample(text))).toBe(format);
  });

  it.each([
    [true, YUBICO],
    [true, `4711,${KEY},,2009-01-22 00:25:11,\n`],
    [false, TRADITIONAL],
    [false, `LOGGING START,11.12.2013 11:10\n${YUBICO}`],
  ])('may be that of ykksm-export, which has no header: %s for %j', async (expected, text) => {
    const sample = await takeSample(text);
    expect(mayBeYkksm(detectKeyFormat(sample), false, sample)).toBe(expected);
    expect(mayBeYkksm('ykman', true, sample)).toBe(false);
    expect(mayBeYkksm('ykksm', true, sample)).toBe(true);
  });

  it('is detected from the first lines, and no line is lost', async () => {
    const text = Array.from({ length: 50 }, (_, at) => `${at}\n`).join('');
    const { sample, lines } = await withSample(splitLines(of(text)));
    expect(sample).toHaveLength(20);
    const numbers = [];
    for await (const line of lines) numbers.push(Number(line.text));
    expect(numbers).toEqual(Array.from({ length: 50 }, (_, at) => at));
  });

  it.each([
    [
      'an armored message',
      '-----BEGIN PGP MESSAGE-----\nVersion: GnuPG v1.4.9 (GNU/Linux)\n\njA0EAwMClflj\n',
    ],
    ['a signed one', '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# ykksm 1\n'],
    ['a binary one', Buffer.from([0x85, 0x01, 0x0c, 0x03, 0xff])],
  ])('is not detected for %s, which must be decrypted first', async (_, text) => {
    await expect(withSample(splitLines(of(text)))).rejects.toThrow('gpg --decrypt');
    await expect(withSample(splitLines(of(text)), 'clients')).rejects.toThrow('yubikey-otp clients import -');
  });
});
