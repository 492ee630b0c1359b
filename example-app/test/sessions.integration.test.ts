import { writeFileSync } from 'node:fs';
import express from 'express';
import supertest from 'supertest';
import { expect, test } from 'vitest';
import { createSessionStore, sessionMiddleware } from '../src/sessions.js';
import { type Browser, newDatabaseFile, openApp, readToken } from './support/application.js';

/** A store that writes slowly, as on a busy machine, while other instances read it. */
function slowSessionStore() {
  const store = createSessionStore({ redis: undefined, pool: undefined });
  const set = store.set.bind(store);
  store.set = (...args) => setTimeout(() => set(...args), 100);
  return store;
}

/** The page that a browser ends up on if, like any browser, it follows a redirect as soon as it has the headers. */
async function followRedirects(
  browser: Browser,
  page: string,
  fields: Record<string, string>,
): Promise<string> {
  const form = { ...fields, _csrf: await readToken(browser, page) };
  const { redirects } = await browser.post(page).type('form').send(form).redirects(5);
  return new URL(redirects.at(-1) as string).pathname;
}

test('no part of a response is sent before the session is saved', async () => {
  const app = await openApp({}, { change: { sessionStore: slowSessionStore() } });
  const browser = app.openBrowser();
  const [username, password] = ['somebody', 'correct horse battery'];
  const key = await app.newKey();
  expect(await followRedirects(browser, '/sign-up', { username, password })).toBe('/account');
  expect(await followRedirects(browser, '/account/keys/add', { name: 'A key', otp: key.press() })).toBe(
    '/account/recovery-codes',
  );
  const elsewhere = app.openBrowser();
  expect(await followRedirects(elsewhere, '/login', { username, password })).toBe('/login/yubikey');
  expect(await followRedirects(elsewhere, '/login/yubikey', { otp: key.press() })).toBe('/account');
  await app.close();
});

test('a large file is sent completely', async () => {
  const file = newDatabaseFile();
  writeFileSync(file, Buffer.alloc(1_000_000));
  const app = express();
  app.use(sessionMiddleware(slowSessionStore(), { sessionSecret: 'secret', production: false }));
  app.get('/file', (_req, res) => res.sendFile(file));
  const { body } = await supertest(app).get('/file').timeout(10_000);
  expect(body).toHaveLength(1_000_000);
});
