import { execFileSync } from 'node:child_process';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeWith } from '../../test/programs.js';
import { type App, demoOf, openApp, touch } from './support.js';

/** Chromium looks for things on the network at its start, and none of them is wanted here. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describeWith('in a real browser', ['chromium'], () => {
  let browser: Browser;
  let app: App;
  let server: Server;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    const executablePath = execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim();
    browser = await chromium.launch({ executablePath, args: QUIET });
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    app = await openApp();
    server = app.listener.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    page = await browser.newPage({ baseURL: `http://127.0.0.1:${port}` });
    complaints = [];
    page.on('console', (message) => {
      const isStatus = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && !isStatus) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
  });
  afterEach(async () => {
    await page.close();
    server.close();
    await app.close();
  });

  async function givePassword(): Promise<void> {
    const { name, password } = demoOf(app);
    await page.goto('/');
    await page.getByLabel('User name').fill(name);
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/login/yubikey');
  }

  test('the virtual key types into the focused field and submits it: signed in, a replay refused', async () => {
    await givePassword();
    expect(await page.locator('#otp:focus').count()).toBe(1);
    await page.getByRole('button', { name: /Touch .*YubiKey/ }).click();
    await page.waitForURL('**/account');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(demoOf(app).name);

    await page.getByRole('button', { name: 'Sign out' }).click();
    await givePassword();
    for (const refused of ['Replay the last touch', 'Touch a stranger’s key']) {
      const answer = page.waitForResponse(
        (response) => response.request().method() === 'POST' && response.url().endsWith('/login/yubikey'),
      );
      await page.getByRole('button', { name: refused }).click();
      expect((await answer).status()).toBe(401);
      expect(await page.getByRole('alert').textContent()).toContain('not accepted');
    }
    await page.goto('/account');
    expect(page.url()).toContain('/login/yubikey');
    expect(complaints).toEqual([]);
  });

  test('a real key, which types and then sends Enter, signs in too', async () => {
    await givePassword();
    await page.keyboard.type(await touch(app));
    await page.keyboard.press('Enter');
    await page.waitForURL('**/account');
    expect(complaints).toEqual([]);
  });

  test('a new account adds the fresh key, and prints its recovery codes', async () => {
    await page.goto('/sign-up');
    await page.getByLabel('User name').fill('bob');
    await page.getByLabel('Password').fill('correct horse battery');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Add a YubiKey' }).click();
    await page.getByLabel('Name').fill('Blue one');
    await page.getByRole('button', { name: 'Touch a fresh key' }).click();
    await page.waitForURL('**/account/recovery-codes');
    await page.getByRole('button', { name: 'Make recovery codes' }).click();
    expect(await page.getByRole('listitem').count()).toBe(10);
    expect(await page.getByRole('button', { name: 'Print this page' }).isVisible()).toBe(true);

    await page.getByRole('link', { name: 'I have kept them' }).click();
    expect(await page.getByText('Blue one').first().isVisible()).toBe(true);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('User name').fill('bob');
    await page.getByLabel('Password').fill('correct horse battery');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Touch bob’s Blue one' }).click();
    await page.waitForURL('**/account');
    expect(complaints).toEqual([]);
  });
});
