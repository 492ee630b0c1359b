import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { hex, temporaryFolder } from '../support/command.js';
import { Leaks } from '../support/long/serve/leaks.js';

const LINE =
  '{"level":"info","time":"2026-03-01T09:30:00.123Z","service":"validation","client":"1","ms":1.25}';

describe('the search of the long tests', () => {
  const secret = randomBytes(20);
  const otp = new SoftYubikey().press();
  const token = otp.slice(-32);

  async function found(planted: string): Promise<string[]> {
    const file = join(temporaryFolder(), 'log');
    writeFileSync(
      file,
      `${LINE}\n${LINE.replace('1.25', () => `1.25,"canary":"${planted}"`)}\n${LINE}\n`,
      'latin1',
    );
    const leaks = new Leaks();
    await leaks.readFile(file);
    expect(leaks.lines).toBe(3);
    return leaks.of({ secret }, [otp]);
  }

  it.each([
    ['raw', secret.toString('latin1').replace(/[\n\r]/g, '')],
    ['hexadecimal digits', hex(secret)],
    ['capital ones', hex(secret).toUpperCase()],
    ['base64', secret.toString('base64')],
    ['base64url', secret.toString('base64url')],
    ['base64 in a longer text', Buffer.from(`x${secret.toString('latin1')}y`, 'latin1').toString('base64')],
  ])('finds a secret as %s', async (name, planted) => {
    const expected = name === 'raw' && planted.length < 20 ? [] : [expect.stringContaining('secret as')];
    expect(await found(planted)).toEqual(expect.arrayContaining(expected));
  });

  it.each([
    ['an OTP', otp],
    ['an OTP in capitals', otp.toUpperCase()],
    ['an OTP in a URL', `/wsapi/2.0/verify?id=1&otp=${otp}&nonce=x`],
    ['the token alone', token],
  ])('finds %s', async (_name, planted) => {
    expect(await found(planted)).toEqual(expect.arrayContaining(['OTP 0']));
  });

  it('finds nothing where there is nothing, and no public ID', async () => {
    expect(await found(otp.slice(0, 12))).toEqual([]);
  });
});
