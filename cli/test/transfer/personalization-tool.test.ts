import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePersonalizationToolLine } from '../../src/transfer/personalization-tool.js';
import { anyLine } from '../support/transfer/arbitraries.js';

const AES = '8a0cdb3bb5a6dd1e31c1cd33e0a3d2a5';
const HMAC = `${AES}deadbeef`;
const skipped = { skipped: expect.any(String) };
const parse = parsePersonalizationToolLine;

describe('a log in the Yubico format', () => {
  it('has keys', () => {
    expect(parse(`1234567,vvcccccckbrn,d5ee29a1ec6b,${AES},000000000000,2013-12-11T11:10:00,`)).toMatchObject(
      {
        entry: { publicId: 'vvcccccckbrn', notes: 'serial 1234567', hasAccessCode: false },
      },
    );
  });

  it.each([
    ['HOTP', `1234567,ubnu12345678,0,${HMAC},,2013-12-11T11:10:00,`],
    ['HOTP without a token identifier', `1234567,,16,${HMAC},,2013-12-11T11:10:00,`],
    ['challenge-response', `1234567,,0,${HMAC},,2013-12-11T11:10:00,`],
    ['a static password', `1234567,,,${AES},,2013-12-11T11:10:00,`],
    ['challenge-response in Yubico OTP mode', `1234567,,,${AES},000000000000,2013-12-11T11:10:00,`],
  ])('has lines to skip: %s', (_, line) => {
    expect(parse(line)).toEqual(skipped);
  });

  it('has bad lines', () => {
    const line = `1234567,vvcccccckbrn,d5ee29a1ec6b,${AES.slice(2)},,2013-12-11T11:10:00,`;
    expect(parse(line)).toEqual({ problem: expect.stringContaining('AES key') });
  });
});

describe('a log in the traditional format', () => {
  const flags = '0,0,0,0,0,0,0,0,0,0';

  it.each([
    ['German', `Yubico OTP,11.12.2013 11:10,1,vvcccccckbrn,d5ee29a1ec6b,${AES},,,${flags}`],
    [
      'a time with commas',
      `Yubico OTP,Wednesday, December 11, 2013, 11:10,1,vvcccccckbrn,d5ee29a1ec6b,${AES},,,${flags}`,
    ],
    ['a translated event', `OTP de Yubico,11/12/2013 11:10,2,vvcccccckbrn,d5ee29a1ec6b,${AES},,,${flags}`],
  ])('has keys: %s', (_, line) => {
    expect(parse(line)).toMatchObject({
      entry: { publicId: 'vvcccccckbrn', notes: '', hasAccessCode: false },
    });
  });

  it('has keys without a public ID, and with an access code', () => {
    const line = `Yubico OTP,11.12.2013 11:10,1,,d5ee29a1ec6b,${AES},,0102030405ab,${flags}`;
    expect(parse(line)).toMatchObject({ entry: { publicId: '', hasAccessCode: true } });
  });

  it.each([
    ['HOTP', `OATH-HOTP,11.12.2013 11:10,1,ubnu12345678,,${HMAC},,,1,0,0,6,0,0,0,0,0,0`],
    ['translated HOTP', `HOTP OATH,11.12.2013 11:10,1,ubnu12345678,,${HMAC},,,1,0,0,8,0,0,0,0,0,0`],
    ['HMAC', `Challenge-Response: HMAC-SHA1,11.12.2013 11:10,2,,,${HMAC},,,${flags}`],
    ['Yubico challenge', `Challenge-Response: Yubico OTP,11.12.2013 11:10,2,,d5ee29a1ec6b,${AES},,,${flags}`],
    ['unknown', `Unknown programming mode,11.12.2013 11:10,2,,d5ee29a1ec6b,${AES},,,${flags}`],
    ['static', `Static Password: Short,11.12.2013 11:10,1,vvcccccckbrn,d5ee29a1ec6b,${AES},,,${flags}`],
    ['update', `Configuration Update,11.12.2013 11:10,1,,,,,,${flags}`],
    ['swap, translated', `Échange,11.12.2013 11:10,1,,,,,,${flags}`],
  ])('has lines to skip: %s', (_, line) => {
    expect(parse(line)).toEqual(skipped);
  });

  it('has a first line without a key', () => {
    expect(parse('LOGGING START,11.12.2013 11:10')).toBeUndefined();
  });

  it('has bad lines', () => {
    const line = `Yubico OTP,11.12.2013 11:10,1,vvcccccckbrn,,${AES},,,${flags}`;
    expect(parse(line)).toEqual({ problem: 'the private ID is missing' });
  });
});

it('never throws', () => {
  fc.assert(fc.property(anyLine, (line) => void parse(line)));
});
