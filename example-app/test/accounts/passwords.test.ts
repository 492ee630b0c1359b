import { expect, test } from 'vitest';
import { hashOfNothing, hashPassword, isPassword } from '../../src/accounts/passwords.js';

test('a hash recognises its password and no other', async () => {
  const hash = await hashPassword('wonderland');
  expect(await isPassword('wonderland', hash)).toBe(true);
  expect(await isPassword('Wonderland', hash)).toBe(false);
  expect(await isPassword('', hash)).toBe(false);
});

test('a hash tells nothing: not the password, nor that two are equal', async () => {
  const hash = await hashPassword('wonderland');
  expect(hash).toMatch(/^scrypt\$32768\$8\$3\$/);
  expect(hash).not.toContain('wonderland');
  expect(hash).not.toBe(await hashPassword('wonderland'));
});

test('the hash of nothing looks like any other, and no password has it', async () => {
  expect(hashOfNothing()).toHaveLength((await hashPassword('wonderland')).length);
  expect(await isPassword('', hashOfNothing())).toBe(false);
});

test('accents may be composed in either way', async () => {
  expect(await isPassword('cafe\u0301', await hashPassword('caf\u00e9'))).toBe(true);
});
