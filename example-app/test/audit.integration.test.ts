import { Writable } from 'node:stream';
import { YubikeyError } from 'passport-yubikey-otp';
import { pino } from 'pino';
import { describe, expect, test, vi } from 'vitest';
import { brokenVerifier, openApp, submit, submitPassword } from './support/application.js';
import { Person } from './support/person.js';

function collect() {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { lines, log: pino(stream) };
}

test('the audit log has a JSON line for each step, without secrets', async () => {
  const { lines, log } = collect();
  const app = await openApp({}, { log });
  const { person, key } = await Person.signUpWithKey(app);
  const codes = await person.newCodes();
  const other = await person.elsewhere();
  const otp = key.press();
  await submit(other.browser, '/login/yubikey', { otp });
  await submit(other.browser, '/login/yubikey', { otp });
  const recovering = await person.elsewhere();
  await recovering.giveCode('0000-0000-0000-0000');
  await recovering.giveCode(codes[0] as string);
  await submitPassword(app.openBrowser(), person.name, 'a wrong password');
  await submit(person.browser, '/account', {}, '/logout');
  await app.close();

  const events = lines.map((line) => JSON.parse(line).event as string);
  expect(events).toEqual([
    'Signed up',
    'Added a key',
    'Made new recovery codes',
    'Gave the password',
    'Signed in with password and key',
    'A key was refused',
    'Gave the password',
    'A recovery code was refused',
    'Used a recovery code',
    'A password was refused',
    'Signed out',
  ]);
  const whole = lines.join('');
  expect(JSON.parse(lines[1] as string)).toMatchObject({
    publicId: key.publicId,
    account: expect.any(String),
  });
  const secrets = [otp, otp.slice(12), person.password, 'a wrong password', ...codes];
  const { aesKey, privateId } = key.toJSON();
  for (const secret of [...secrets, ...codes.map((code) => code.replaceAll('-', '')), aesKey, privateId]) {
    expect(whole).not.toContain(secret);
  }
});

describe('a verifier that fails while a key is added', () => {
  const errorLog = vi.spyOn(console, 'error').mockImplementation(() => {});

  test.each([
    ['shows a page that says to try again', brokenVerifier, 'Please touch it again in a moment.'],
    [
      'says to touch again if the OTP is used up',
      { verify: () => Promise.reject(new YubikeyError('ANSWER_LOST', 'The answer was lost')) },
      'the answer was lost. Please touch your key again.',
    ],
  ])('%s', async (_what, verifier, words) => {
    const app = await openApp({}, { change: { verifier } });
    const person = await Person.signUp(app);
    const key = await app.newKey();
    const response = await person.addKey(key, 'My name for it');
    expect(response.status).toBe(503);
    expect(response.text).toContain(words);
    expect(response.text).toContain('value="My name for it"');
    expect(response.text).not.toMatch(new RegExp(`${key.publicId}\\w`));
    expect(await person.text('/account')).toContain('protected by its password alone');
    expect(errorLog.mock.calls.flat().map(String).join()).not.toContain(key.publicId);
    await app.close();
  });
});

test('a key without a valid name is not added, and its OTP is not used up', async () => {
  const app = await openApp();
  const person = await Person.signUp(app);
  const key = await app.newKey();
  const otp = key.press();
  const refused = await submit(person.browser, '/account/keys/add', { name: 'two\nlines', otp });
  expect(refused.status).toBe(400);
  expect(refused.text).toContain('A name must have 1 to 40 visible characters');
  expect(refused.text).not.toContain(otp);
  const added = await submit(person.browser, '/account/keys/add', { name: '<b>bold</b>', otp });
  expect(added.status).toBe(302);
  expect(await person.text('/account/keys')).toContain('&lt;b&gt;bold&lt;/b&gt;');
  await app.close();
});
