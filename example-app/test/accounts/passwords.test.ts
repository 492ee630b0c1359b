import { expect, test } from 'vitest';
import { Passwords } from '../../src/accounts/passwords.js';

const passwords = new Passwords();

test('a hash matches its password and no other', async () => {
  const hash = await passwords.hash('wonderland');
  expect(await passwords.matches('wonderland', hash)).toBe(true);
  expect(await passwords.matches('Wonderland', hash)).toBe(false);
  expect(await passwords.matches('', hash)).toBe(false);
});

test('a hash reveals neither the password nor that two passwords are equal', async () => {
  const hash = await passwords.hash('wonderland');
  expect(hash).toMatch(/^scrypt\$32768\$8\$3\$/);
  expect(hash).not.toContain('wonderland');
  expect(hash).not.toBe(await passwords.hash('wonderland'));
});

test('the unmatchable hash looks like any other, and no password matches it', async () => {
  expect(passwords.unmatchableHash()).toHaveLength((await passwords.hash('wonderland')).length);
  expect(await passwords.matches('', passwords.unmatchableHash())).toBe(false);
});

test('accents may be composed in either way', async () => {
  expect(await passwords.matches('cafe\u0301', await passwords.hash('caf\u00e9'))).toBe(true);
});
