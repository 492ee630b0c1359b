import express from 'express';
import passport from 'passport';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { type Verification, YubikeyStrategy } from '../../src/index.js';
import { SoftYubikey } from '../../src/testing/index.js';

function appWith(verification: unknown) {
  const authenticator = new passport.Passport();
  const verifier = { verify: async () => verification as Verification };
  authenticator.use(new YubikeyStrategy({ verifier }, ({ publicId }) => ({ id: publicId })));
  const app = express();
  app.use(express.json());
  return { app, authenticator };
}

describe('a request that needs no verifier', () => {
  it('fails synchronously, so that Express catches errors of the application', async () => {
    const { app, authenticator } = appWith({ ok: false, reason: 'BAD_OTP' });
    app.post('/', (req, res, next) => {
      authenticator.authenticate('yubikey', () => {
        throw new Error('thrown by the application');
      })(req, res, next);
    });
    for (const body of [{}, { otp: '' }, { otp: ['x'] }, { otp: 'x' }]) {
      const response = await request(app).post('/').send(body);
      expect(response.status).toBe(500);
      expect(response.text).toContain('thrown by the application');
    }
  });
});

describe("the result of an application's own verifier", () => {
  it.each([
    ['nothing', undefined],
    ['true', true],
    ['text for ok', { ok: 'yes', identity: { publicId: 'cccccccccccc' } }],
    ['no identity', { ok: true }],
    ['no public ID', { ok: true, identity: {} }],
    ['a public ID that is not text', { ok: true, identity: { publicId: 1 } }],
    ['a status', { status: 'OK' }],
  ])('is VERIFIER_FAILED with status 503 if it is %s', async (_name, verification) => {
    const { app, authenticator } = appWith(verification);
    app.post(
      '/',
      authenticator.authenticate('yubikey', { session: false }),
      (_req, res) => void res.end('in'),
    );
    const errors: unknown[] = [];
    app.use(((error, _req, res, _next) => {
      errors.push(error);
      res.status(error.status).end();
    }) as express.ErrorRequestHandler);
    await request(app).post('/').send({ otp: new SoftYubikey().press() }).expect(503);
    expect(errors).toMatchObject([{ code: 'VERIFIER_FAILED' }]);
  });
});
