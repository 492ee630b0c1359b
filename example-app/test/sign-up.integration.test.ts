import { afterAll, beforeAll, expect, test } from 'vitest';
import { type App, openApp, submit } from './support/application.js';

let app: App;

beforeAll(async () => {
  app = await openApp();
});
afterAll(() => app.close());

const PASSWORD = 'correct horse battery';

test.each([
  ['a short password', { username: 'carol', password: '1234567' }, 400, 'at least 8 characters'],
  ['no password', { username: 'carol' }, 400, 'at least 8 characters'],
  ['a huge password', { username: 'carol', password: 'x'.repeat(1001) }, 400, 'no more than 1000'],
  ['no name', { password: PASSWORD }, 400, 'A name must have 1 to 40 visible characters'],
  [
    'a name of blanks',
    { username: '   ', password: PASSWORD },
    400,
    'A name must have 1 to 40 visible characters',
  ],
  ['a taken name', { username: 'Alice', password: PASSWORD }, 409, 'This name is taken'],
])('%s is refused with a message', async (_what, fields: Record<string, string>, status, words) => {
  const browser = app.openBrowser();
  const response = await submit(browser, '/sign-up', fields);
  expect(response.status).toBe(status);
  expect(response.text).toContain(words);
  expect(response.text).toContain('role="alert"');
  expect(response.text).not.toContain(PASSWORD);
  await browser.get('/account').expect('Location', '/login');
});

test('the session gets a new ID', async () => {
  const browser = app.openBrowser();
  const cookie = ({ headers }: { headers: Record<string, string> }) =>
    headers['set-cookie']?.[0]?.split(';')[0];
  const before = cookie(await browser.get('/sign-up'));
  const after = cookie(await submit(browser, '/sign-up', { username: 'carol', password: PASSWORD }));
  expect(before).toBeDefined();
  expect(after).toBeDefined();
  expect(after).not.toBe(before);
});
