import type { Request } from 'express';
import passport from 'passport';
import { describe, expect, it } from 'vitest';
import { YubikeyStrategy } from '../../src/index.js';
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
  WAYS,
} from '../support/passport/app.js';

const onEveryExpress = EXPRESSES.flatMap((each) => WAYS.map((way) => ({ ...each, way })));

describe.each(onEveryExpress)('an accepted OTP on $version, by $way', ({ express, way }) => {
  async function app(yubikey = new SoftYubikey()) {
    const keyring = new Keyring();
    await keyring.enrol(ALICE, yubikey);
    const strategy = new YubikeyStrategy({ verifier: keyring.verifier }, keyring.lookup);
    return { yubikey, ...signInApp(express, strategy, { way }) };
  }

  it('signs in the owner of the key', async () => {
    const { app: server, yubikey, reached } = await app();
    await logIn(server, { otp: yubikey.press() }).expect(200, ALICE);
    expect(reached).toEqual([{ user: ALICE }]);
  });

  it('signs in again with the next touch and the next power-up', async () => {
    const { app: server, yubikey } = await app();
    await logIn(server, { otp: yubikey.press() }).expect(200);
    await logIn(server, { otp: yubikey.press() }).expect(200);
    yubikey.replug();
    await logIn(server, { otp: yubikey.press() }).expect(200);
  });

  it.each([
    ['with caps lock on', new SoftYubikey(), (key: SoftYubikey) => key.press({ capsLock: true })],
    ['on a Dvorak keyboard', new SoftYubikey({ layout: 'us(dvorak)' }), (key: SoftYubikey) => key.press()],
    ['with the Enter of the key', new SoftYubikey(), (key: SoftYubikey) => `${key.press()}\r\n`],
    ['without a public ID', new SoftYubikey({ publicId: '' }), (key: SoftYubikey) => key.press()],
    ['as an NFC URL', new SoftYubikey(), (key: SoftYubikey) => `https://my.yubico.com/yk/#${key.press()}`],
  ])('may be typed %s', async (_how, yubikey, type) => {
    const { app: server } = await app(yubikey);
    await logIn(server, { otp: type(yubikey) }).expect(200, ALICE);
  });
});

describe.each(EXPRESSES)('the app on $version', ({ express }) => {
  it('gets the public ID and the counters in the identity', async () => {
    const keyring = new Keyring();
    const yubikey = await keyring.enrol(ALICE);
    const strategy = new YubikeyStrategy({ verifier: keyring.verifier }, (identity) => ({ ...identity }));
    const { body } = await logIn(signInApp(express, strategy).app, { otp: yubikey.press() }).expect(200);
    expect(body).toEqual({ publicId: yubikey.publicId, counters: yubikey.counters });
  });

  it('gets the info of done as req.authInfo', async () => {
    const strategy = new YubikeyStrategy({ verifier: credulousVerifier() }, (_identity, done) =>
      done(null, ALICE, { scope: 'all' }),
    );
    const app = express();
    app.use(express.json());
    app.post('/login', authenticator(strategy)(), (req, res) => {
      res.json(req.authInfo);
    });
    await logIn(app, { otp: anOtp() }).expect(200, { scope: 'all' });
  });

  it('gets the request before the identity with passReqToCallback', async () => {
    const seen: [Request, string][] = [];
    const strategy = new YubikeyStrategy(
      { verifier: credulousVerifier(), passReqToCallback: true },
      (req, { publicId }, done) => {
        seen.push([req, publicId]);
        done(null, { tenant: req.get('x-tenant') });
      },
    );
    const yubikey = new SoftYubikey();
    const { app } = signInApp(express, strategy);
    await logIn(app, { otp: yubikey.press() }).set('x-tenant', 'blue').expect(200, { tenant: 'blue' });
    expect(seen.map(([, publicId]) => publicId)).toEqual([yubikey.publicId]);
  });

  it('uses the strategy by the name that it was given', async () => {
    const strategy = new YubikeyStrategy({ verifier: credulousVerifier(), name: 'key' }, () => ALICE);
    const own = new passport.Passport().use(strategy);
    const authenticate = own.authenticate('key', { session: false });
    const { app } = signInApp(express, strategy, { authenticate });
    await logIn(app, { otp: anOtp() }).expect(200, ALICE);
  });
});
