import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { YubikeyError } from 'passport-yubikey-otp';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { type Logger, pino } from 'pino';
import supertest from 'supertest';
import { vi } from 'vitest';
import { Passwords } from '../../src/accounts/passwords.js';
import { createApp } from '../../src/app.js';
import { readConfig } from '../../src/config.js';
import { openServices, type Services } from '../../src/services.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Cheap hashes: at the real cost, each password would take a tenth of a second. */
const cheapPasswords = new Passwords({ N: 2 ** 10, r: 8, p: 1 });

export type Browser = ReturnType<typeof supertest.agent>;

/** An app under test, in this process or behind a URL. */
export interface World {
  openBrowser(): Browser;
  /** A key whose OTPs the app can check, and that belongs to no account. */
  newKey(): Promise<SoftYubikey>;
}

export function newDatabaseFile(): string {
  return join(mkdtempSync(join(tmpdir(), 'example-app-')), 'example.db');
}

interface OpenOptions {
  change?: Partial<Services> | undefined;
  log?: Logger | undefined;
}

/** The app as `npm start` opens it, with its own database. */
export async function openApp(
  environment: NodeJS.ProcessEnv = {},
  { change = {}, log = pino({ level: 'silent' }) }: OpenOptions = {},
) {
  const config = readConfig({ DATABASE_FILE: newDatabaseFile(), ...environment });
  const services = await openServices(config, { log, passwords: cheapPasswords });
  const app = createApp({ config, ...services, ...change });
  return {
    ...services,
    config,
    listener: app,
    openBrowser: () => supertest.agent(app),
    newKey: () => newKey(services),
  };
}

/** The app behind a URL that a real browser can open. */
export async function openListening(): Promise<
  Pick<World, 'newKey'> & { url: string; close(): Promise<void> }
> {
  const { listener, newKey, close } = await openApp();
  const server = listener.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    newKey,
    async close() {
      server.close();
      server.closeAllConnections();
      await close();
    },
  };
}

export type App = Awaited<ReturnType<typeof openApp>>;

export async function newKey({ keys }: Pick<Services, 'keys'>): Promise<SoftYubikey> {
  const key = new SoftYubikey();
  await keys.add(key);
  return key;
}

export function requireDemo({ demo }: Pick<Services, 'demo'>) {
  if (!demo) throw new Error('This app is not a demo');
  return demo;
}

/** Touches the first key of the demo's user. */
export async function touch(app: App): Promise<string> {
  const { yubikeys, name } = requireDemo(app);
  const [key] = await yubikeys.list(await app.accounts.findByName(name));
  return (await yubikeys.press(key?.publicId ?? '')) as string;
}

/** The CSRF token of the forms on a page. */
export async function readToken(browser: Browser, page: string): Promise<string> {
  const { text } = await browser.get(page).expect(200);
  return /name="_csrf" value="(\w+)"/.exec(text)?.[1] ?? '';
}

/** As pairs if a field is sent twice. */
export type Fields = Record<string, string> | [string, string][];

/** Loads the page before submitting its form, as a browser does. */
export async function submit(browser: Browser, page: string, fields: Fields, action = page) {
  const form = new URLSearchParams(fields);
  form.append('_csrf', await readToken(browser, page));
  return browser.post(action).type('form').send(form.toString());
}

export function submitPassword(browser: Browser, username: string, password: string) {
  return submit(browser, '/login', { username, password });
}

/** Submits the form with an OTP, or with any other fields. */
export function submitOtp(browser: Browser, fields: string | Fields) {
  return submit(browser, '/login/yubikey', typeof fields === 'string' ? { otp: fields } : fields);
}

/** A browser in which the demo's user has entered her password. */
export async function openBrowserWithPassword(app: App): Promise<Browser> {
  const browser = app.openBrowser();
  const { name, password } = requireDemo(app);
  const response = await submitPassword(browser, name, password);
  if (response.status !== 302) throw new Error(`The password was answered with ${response.status}`);
  return browser;
}

export const brokenVerifier = {
  verify: () => Promise.reject(new YubikeyError('UNREACHABLE', 'No server answered')),
};
