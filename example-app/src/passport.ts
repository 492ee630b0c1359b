import passport from 'passport';
import { Strategy as LocalStrategy } from 'passport-local';
import { YubikeyStrategy } from 'passport-yubikey-otp';
import { currentAccount } from './accounts/account.js';
import { readName } from './accounts/names.js';
import type { Services } from './services.js';
import { type SessionUser, toSessionUser } from './sign-in.js';

export type Passport = ReturnType<typeof createPassport>;

type PassportServices = Pick<Services, 'accounts' | 'accountKeys' | 'verifier'>;

/** The four ways to prove something to the app. */
export function createPassport({ accounts, accountKeys, verifier }: PassportServices) {
  const authenticator = new passport.Passport();

  // The first step: a password says who you are.
  authenticator.use(
    new LocalStrategy((name, password, done) => {
      // A field that was sent twice comes as a list.
      if (typeof name !== 'string' || typeof password !== 'string') return done(null, false);
      accounts.checkPassword(name, password).then((account) => done(null, account ?? false), done);
    }),
  );

  // The second step: a touch of a key of that same account.
  authenticator.use(
    new YubikeyStrategy({ verifier, secondFactor: true }, ({ publicId }) => accountKeys.findOwner(publicId)),
  );

  // A key to add, which its touch shows to be at hand. The key of another account finds nobody.
  authenticator.use(
    new YubikeyStrategy(
      { verifier, name: 'yubikey-to-add', secondFactor: true, passReqToCallback: true },
      (req, { publicId }) =>
        accountKeys.add(currentAccount(req), publicId, readName(req.body.name) as string),
    ),
  );

  // A key in place of both steps, where its account allows that.
  authenticator.use(
    new YubikeyStrategy({ verifier, name: 'yubikey-alone' }, async ({ publicId }) => {
      const owner = await accountKeys.findOwner(publicId);
      return owner?.keyAlone ? owner : undefined;
    }),
  );

  authenticator.serializeUser((account, done) => done(null, toSessionUser(account as never)));
  // Only the current generation: see changeAccount.
  authenticator.deserializeUser(({ id, generation }: SessionUser, done) => {
    accounts
      .findById(id)
      .then((account) => done(null, account?.generation === generation ? account : false), done);
  });
  return authenticator;
}
