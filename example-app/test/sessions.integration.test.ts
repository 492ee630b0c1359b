import { writeFileSync } from 'node:fs';
import express from 'express';
import supertest from 'supertest';
import { expect, test } from 'vitest';
import { createSessionStore, sessionMiddleware } from '../src/sessions.js';
import { type Browser, newDatabaseFile, openApp, readToken } from './support/application.js';

/** As the store of a busy machine, which another instance reads meanwhile. */
function slowSessionStore() {
  const store = createSessionStore({ redis: undefined, pool: undefined });
  const set = store.set.bind(store);
  store.set = (...args) => setTimeout(() => set(...args), 100);
  return store;
}

/** Where a browser arrives that follows redirects as soon as it has their head, as browsers do. */
async function arrival(browser: Browser, page: string, fields: Record<string, string>): Promise<string> {
  const form = { ...fields, _csrf: await readToken(browser, page) };
  const { redirects } = await browser.post(page).type('form').send(form).redirects(5);
  return new URL(redirects.at(-1) as string).pathname;
}

test('no part of an answer leaves before its session is saved', async () => {
  const app = await openApp({}, { change: { sessionStore: slowSessionStore() } });
  const browser = app.openBrowser();
  const [username, password] = ['somebody', 'correct horse battery'];
  const key = await app.newKey();
  expect(await arrival(browser, '/sign-up', { username, password })).toBe('/account');
  expect(await arrival(browser, '/account/keys/add', { name: 'A key', otp: key.press() })).toBe(
    '/account/recovery-codes',
  );
  const elsewhere = app.openBrowser();
  expect(await arrival(elsewhere, '/login', { username, password })).toBe('/login/yubikey');
  expect(await arrival(elsewhere, '/login/yubikey', { otp: key.press() })).toBe('/account');
  await app.close();
});

test('a file behind the sessions arrives, however long it is', async () => {
  const file = newDatabaseFile();
  writeFileSync(file, Buffer.alloc(1_000_000));
  const app = express();
  app.use(sessionMiddleware(slowSessionStore(), { sessionSecret: 'secret', production: false }));
  app.get('/file', (_req, res) => res.sendFile(file));
  const { body } = await supertest(app).get('/file').timeout(10_000);
  expect(body).toHaveLength(1_000_000);
});
