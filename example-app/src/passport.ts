import passport from 'passport';
import { Strategy as LocalStrategy } from 'passport-local';
import { YubikeyStrategy } from 'passport-yubikey-otp';
import { currentAccount } from './accounts/account.js';
import { readName } from './accounts/names.js';
import type { Services } from './services.js';
import { type SessionUser, toSessionUser } from './sign-in.js';

export type Passport = ReturnType<typeof createPassport>;

type PassportServices = Pick<Services, 'accounts' | 'accountKeys' | 'verifier'>;

/** The app's four strategies. */
export function createPassport({ accounts, accountKeys, verifier }: PassportServices) {
  const authenticator = new passport.Passport();

  // The first step: user name and password.
  authenticator.use(
    new LocalStrategy((name, password, done) => {
      // A field that was sent twice arrives as an array.
      if (typeof name !== 'string' || typeof password !== 'string') return done(null, false);
      accounts.checkPassword(name, password).then((account) => done(null, account ?? false), done);
    }),
  );

  // The second step: a touch of one of the account's keys.
  authenticator.use(
    new YubikeyStrategy({ verifier, secondFactor: true }, ({ publicId }) => accountKeys.findOwner(publicId)),
  );

  // Adding a key: its touch proves possession. A key that already has an owner is refused.
  authenticator.use(
    new YubikeyStrategy(
      { verifier, name: 'yubikey-to-add', secondFactor: true, passReqToCallback: true },
      (req, { publicId }) =>
        accountKeys.add(currentAccount(req), publicId, readName(req.body.name) as string),
    ),
  );

  // A key instead of both steps, if its account allows that.
  authenticator.use(
    new YubikeyStrategy({ verifier, name: 'yubikey-alone' }, async ({ publicId }) => {
      const owner = await accountKeys.findOwner(publicId);
      return owner?.keyAlone ? owner : undefined;
    }),
  );

  authenticator.serializeUser((account, done) => done(null, toSessionUser(account as never)));
  // Sessions with an older generation have ended: see changeAccount.
  authenticator.deserializeUser(({ id, generation }: SessionUser, done) => {
    accounts
      .findById(id)
      .then((account) => done(null, account?.generation === generation ? account : false), done);
  });
  return authenticator;
}
