import type { RequestHandler } from 'express';
import session from 'express-session';
import passport from 'passport';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { type FailureInfo, type Verifier, YubikeyStrategy } from '../../src/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import {
  ALICE,
  anOtp,
  authenticator,
  credulousVerifier,
  EXPRESSES,
  Keyring,
  logIn,
  signInApp,
  verifierThatRefuses,
} from '../support/passport/app.js';

describe.each(EXPRESSES)('a refused OTP on $version', ({ express }) => {
  const keyring = new Keyring();
  const { app, reached } = signInApp(
    express,
    new YubikeyStrategy({ verifier: keyring.verifier }, keyring.lookup),
  );

  async function isRefused(otp: string) {
    reached.length = 0;
    await logIn(app, { otp }).expect(401, 'Unauthorized');
    expect(reached).toEqual([]);
  }

  it('has a key that nobody enrolled', () => isRefused(new SoftYubikey().press()));

  it('has a changed letter', async () => {
    const otp = (await keyring.enrol(ALICE)).press();
    await isRefused(otp.slice(0, -1) + (otp.endsWith('c') ? 'b' : 'c'));
  });

  it('has the public ID of another key', async () => {
    const { publicId } = await keyring.enrol(ALICE);
    await isRefused(new SoftYubikey({ publicId }).press());
  });

  it('was used before', async () => {
    const otp = (await keyring.enrol(ALICE)).press();
    await logIn(app, { otp }).expect(200);
    await isRefused(otp);
    await isRefused(otp.toUpperCase());
  });

  it('is older than the last', async () => {
    const yubikey = await keyring.enrol(ALICE);
    const older = yubikey.press();
    await logIn(app, { otp: yubikey.press() }).expect(200);
    await isRefused(older);
  });

  it('is the second of two simultaneous equal ones', async () => {
    const otp = (await keyring.enrol(ALICE)).press();
    const answers = await Promise.all(Array.from({ length: 10 }, () => logIn(app, { otp })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(401)]);
  });

  it('has a key without an owner', async () => {
    await isRefused((await keyring.enrol(undefined)).press());
  });
});

interface Told {
  error: unknown;
  user: unknown;
  info: unknown;
  status: unknown;
}

describe.each(EXPRESSES)('the info of a failure on $version', ({ express }) => {
  async function told(verifier: Verifier, otp: string): Promise<Told> {
    const own = new passport.Passport().use(new YubikeyStrategy({ verifier }, () => false));
    const authenticate: RequestHandler = (req, res, next) =>
      own.authenticate('yubikey', (error: unknown, user?: unknown, info?: unknown, status?: unknown) => {
        res.json({ error, user, info, status });
      })(req, res, next);
    const strategy = new YubikeyStrategy({ verifier }, () => false);
    return (await logIn(signInApp(express, strategy, { authenticate }).app, { otp })).body;
  }

  it.each<[FailureInfo['code'], number, Verifier, string]>([
    ['OTP_MISSING', 400, credulousVerifier(), ''],
    ['OTP_MALFORMED', 400, credulousVerifier(), 'password'],
    ['BAD_OTP', 401, verifierThatRefuses('BAD_OTP'), anOtp()],
    ['REPLAYED_OTP', 401, verifierThatRefuses('REPLAYED_OTP'), anOtp()],
    ['REPLAYED_REQUEST', 401, verifierThatRefuses('REPLAYED_REQUEST'), anOtp()],
    ['DELAYED_OTP', 401, verifierThatRefuses('DELAYED_OTP'), anOtp()],
    ['UNKNOWN_USER', 401, credulousVerifier(), anOtp()],
  ])('has the code %s and status %i', async (code, status, verifier, otp) => {
    const info = { code, message: 'Invalid OTP' };
    expect(await told(verifier, otp)).toEqual({ error: null, user: false, info, status });
  });

  it('tells a stranger only the message', async () => {
    const strategy = new YubikeyStrategy({ verifier: verifierThatRefuses('REPLAYED_OTP') }, () => ALICE);
    const app = express();
    app.use(express.json(), session({ secret: 's', resave: false, saveUninitialized: false }));
    app.use('/login', authenticator(strategy)({ failureMessage: true, failureRedirect: '/messages' }));
    app.get('/messages', (req, res) => {
      res.json((req.session as { messages?: string[] }).messages);
    });
    const { headers } = await logIn(app, { otp: anOtp() }).expect(302);
    expect(headers.location).toBe('/messages');
    const cookie = headers['set-cookie'] as unknown as string[];
    await request(app).get('/messages').set('Cookie', cookie).expect(200, ['Invalid OTP']);
  });
});
