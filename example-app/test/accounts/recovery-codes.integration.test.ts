import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Account } from '../../src/accounts/account.js';
import { type App, openApp } from '../support/application.js';

let app: App;

beforeAll(async () => {
  app = await openApp();
});
afterAll(() => app.close());

test('codes have 80 bits, in groups that can be read aloud, and belong to one account', async () => {
  const alice = (await app.accounts.findByName('alice')) as Account;
  const bob = (await app.accounts.add('bob', 'another password')) as Account;
  const { codes = [], account } = (await app.recoveryCodes.renew(alice)) ?? {};
  expect(codes).toHaveLength(10);
  for (const code of codes) expect(code).toMatch(/^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/);
  expect(await app.recoveryCodes.use(bob, codes[0] as string)).toBe(false);
  expect(await app.recoveryCodes.use(account as Account, codes[0] as string)).toBe(true);
  expect(await app.recoveryCodes.countLeft(alice)).toBe(9);
});

test('letters that look like digits are accepted as these digits', async () => {
  const alice = (await app.accounts.findByName('alice')) as Account;
  const { codes = [] } = (await app.recoveryCodes.renew(alice)) ?? {};
  const ambiguous = codes.find((code) => /[01]/.test(code));
  const typed = ambiguous?.replaceAll('0', 'O').replaceAll('1', 'l');
  if (typed) expect(await app.recoveryCodes.use(alice, typed)).toBe(true);
});
