import type { Request, Response } from 'express';
import { describe, expect, it, vi } from 'vitest';
import { type RequireSecondFactorOptions, requireSecondFactor, YubikeyError } from '../../src/index.js';
import { ALICE, EXPRESSES } from '../support/passport/app.js';
import { secondFactorApp } from '../support/passport/second-factor-app.js';

describe('requireSecondFactor', () => {
  it.each([0, -1, Number.NaN, '5 minutes', null, {}])('refuses the maxAge %j', (maxAge) => {
    expect(() => requireSecondFactor({ maxAge } as RequireSecondFactorOptions)).toThrow(
      new TypeError('maxAge must be a positive number of milliseconds'),
    );
  });

  it.each([1, 0.5, Number.POSITIVE_INFINITY, undefined])('accepts the maxAge %j', (maxAge) => {
    const options = maxAge === undefined ? {} : { maxAge };
    expect(requireSecondFactor(options)).toBeTypeOf('function');
  });

  it('calls next once, even if the next handler throws', () => {
    const factor = { userId: 'alice', sessionId: 's', publicId: '', at: Date.now(), amr: ['otp', 'mfa'] };
    const req = { user: ALICE, sessionID: 's', session: { secondFactor: factor } } as unknown as Request;
    const next = vi.fn(() => {
      throw new Error('the next handler');
    });
    expect(() => requireSecondFactor()(req, {} as Response, next)).toThrow('the next handler');
    expect(next).toHaveBeenCalledExactlyOnceWith();
  });
});

describe.each(EXPRESSES)('a user without a second factor on $version', ({ express }) => {
  it('gets 401 when not signed in, and 403 when signed in', async () => {
    const { browser, errors } = secondFactorApp({ express });
    const alice = browser();
    await alice.secret().expect(401, { code: 'NOT_SIGNED_IN' });
    await alice.password('alice');
    await alice.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    expect(errors).toEqual([expect.any(YubikeyError), expect.any(YubikeyError)]);
  });

  it('is redirected with redirectTo until the second factor is made', async () => {
    const { browser, keyring, errors } = secondFactorApp({ express, require: { redirectTo: '/touch' } });
    const alice = browser();
    await alice.secret().expect(302).expect('Location', '/touch');
    await alice.password('alice');
    await alice.secret().expect(302).expect('Location', '/touch');
    await alice.yubikey(await keyring.enrol(ALICE)).expect(200);
    await alice.secret().expect(200);
    expect(errors).toEqual([]);
  });
});
