import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openApp, submit, submitOtp } from './support/application.js';
import { Person } from './support/person.js';
import { ValidationServer } from './support/validation-server.js';

let server: ValidationServer;

beforeEach(async () => {
  server = await ValidationServer.start();
});
afterEach(() => server.stop());

describe('with validation servers', () => {
  test('a key is added with a touch, and signs in from then on', async () => {
    const app = await openApp(server.environment);
    const key = new SoftYubikey();
    const bob = await Person.signUp(app);
    const first = key.press();
    const added = await submit(bob.browser, '/account/keys/add', { name: 'A key', otp: first });
    expect(added.headers.location).toBe('/account/recovery-codes');

    const again = await bob.elsewhere();
    expect((await submitOtp(again.browser, first)).status).toBe(401);
    expect((await again.touch(new SoftYubikey())).status).toBe(401);
    expect((await again.touch(key)).headers.location).toBe('/account');
    await app.close();
  });

  test('a page with status 503 if no server can be reached', async () => {
    const errorLog = vi.spyOn(console, 'error').mockImplementation(() => {});
    const app = await openApp(server.environment);
    const key = new SoftYubikey();
    const bob = await Person.signUp({ ...app, newKey: async () => key });
    await bob.addKey(key);
    const again = await bob.elsewhere();

    server.stop();
    const response = await again.touch(key);
    expect(response.status).toBe(503);
    expect(response.text).toContain('Your key could not be checked right now.');
    expect(errorLog).toHaveBeenCalledOnce();
    errorLog.mockRestore();
    await app.close();
  });
});
