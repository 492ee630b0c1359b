import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type App,
  openApp,
  openBrowserWithPassword,
  readToken,
  requireDemo,
  submit,
  touch,
} from './support/application.js';

let app: App;

beforeAll(async () => {
  app = await openApp();
});
afterAll(() => app.close());

describe('a form without its CSRF token', () => {
  test.each([
    '/login',
    '/login/yubikey',
    '/login/key',
    '/login/recovery',
    '/sign-up',
    '/account/keys/add',
    '/account/keys/remove',
    '/account/key-alone',
    '/account/recovery-codes',
    '/logout',
    '/demo/press',
  ])('POST %s is refused', async (path) => {
    const browser = await openBrowserWithPassword(app);
    const none = await browser.post(path).type('form').send({ otp: 'x', username: 'a', password: 'b' });
    const wrong = await browser.post(path).type('form').send({ _csrf: 'x' });
    expect([none.status, wrong.status]).toEqual([403, 403]);
    expect(none.headers['content-type']).toMatch(/^text\/html/);
    expect(none.text).toContain('This page was open for too long. Please try again.');
    expect(none.text).toContain('role="alert"');
  });

  test('gets an error page without a session, too', async () => {
    const response = await app.openBrowser().post('/login/yubikey').type('form').send({ otp: 'x' });
    expect(response.status).toBe(403);
    expect(response.text).toContain('role="alert"');
  });
});

describe('every page', () => {
  test.each(['/login', '/sign-up', '/nothing', '/%'])(
    'GET %s forbids everything it does not need',
    async (path) => {
      const { headers, text } = await app.openBrowser().get(path);
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toContain('unsafe');
      expect(headers['cache-control']).toContain('no-store');
      expect(headers['x-powered-by']).toBeUndefined();
      expect(text).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/);
    },
  );

  test('an unknown address is 404', async () => {
    const response = await app.openBrowser().get('/nothing').expect(404);
    expect(response.text).toContain('There is no such page.');
  });
});

describe('the session cookie', () => {
  test('cannot be read by scripts or sent by other sites', async () => {
    const { headers } = await app.openBrowser().get('/login');
    expect(headers['set-cookie']?.[0]).toMatch(/HttpOnly.*SameSite=Lax/);
  });

  test('is sent over TLS only in production', async () => {
    const production = await openApp({
      NODE_ENV: 'production',
      SESSION_SECRET: 'x'.repeat(32),
      YUBICO_CLIENT_ID: '1',
      YUBICO_API_KEY: 'AAAA',
    });
    const plain = await production.openBrowser().get('/login').expect(200);
    expect(plain.headers['set-cookie']).toBeUndefined();
    const behindProxy = await production.openBrowser().get('/login').set('X-Forwarded-Proto', 'https');
    expect(behindProxy.headers['set-cookie']?.[0]).toContain('Secure');
    await production.close();
  });
});

describe('the demo', () => {
  test('touches the key for a script that sends the CSRF token in a header', async () => {
    const browser = await openBrowserWithPassword(app);
    const token = await readToken(browser, '/login/yubikey');
    const press = async (touch: string) => {
      const request = browser
        .post('/demo/press')
        .set('X-CSRF-Token', token)
        .set('Accept', 'application/json');
      return (await request.type('form').send({ touch })).body.otp as string;
    };
    const { yubikeys, name } = requireDemo(app);
    const [first, second] = await yubikeys.list(await app.accounts.findByName(name));
    const own = await press(first?.publicId ?? '');
    expect(own).toMatch(/^[cbdefghijklnrtuv]{44}$/);
    expect(await press('replay')).toBe(own);
    expect((await press(second?.publicId ?? '')).slice(0, 12)).toBe(second?.publicId);
    for (const other of ['stranger', 'fresh', 'nonsense']) {
      expect([first?.publicId, second?.publicId]).not.toContain((await press(other)).slice(0, 12));
    }
    expect((await press('fresh')).slice(0, 12)).toBe((await press('fresh')).slice(0, 12));
  });

  test('fills in the OTP without scripts', async () => {
    const browser = await openBrowserWithPassword(app);
    const _csrf = await readToken(browser, '/login/yubikey');
    const publicId = (await touch(app)).slice(0, 12);
    const response = await browser
      .post('/demo/press')
      .set('Accept', 'text/html,*/*;q=0.8')
      .type('form')
      .send({ _csrf, touch: publicId, page: '/login/yubikey' });
    expect(response.headers.location).toBe('/login/yubikey');
    const { text } = await browser.get('/login/yubikey');
    const otp = /id="otp"[^>]*value="(\w{44})"/.exec(text)?.[1];
    expect((await browser.get('/login/yubikey')).text).not.toContain(otp);
    await browser.post('/login/yubikey').type('form').send({ _csrf, otp }).expect('Location', '/account');
  });

  test('shows its user and password on the page', async () => {
    const { text } = await app.openBrowser().get('/login');
    expect(text).toContain('Demo');
    expect(text).toContain(requireDemo(app).password);
  });

  test('is absent if validation servers are asked: no panel, no route, no user', async () => {
    const real = await openApp({ YUBICO_CLIENT_ID: '1', YUBICO_API_KEY: 'AAAA' });
    expect(real.demo).toBeUndefined();
    expect(await real.accounts.findByName('alice')).toBeUndefined();
    const browser = real.openBrowser();
    const { text } = await browser.get('/login');
    expect(text).not.toContain('Demo');
    expect((await submit(browser, '/login', { touch: 'fresh' }, '/demo/press')).status).toBe(404);
    await real.close();
  });
});
