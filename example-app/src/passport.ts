import passport from 'passport';
import { Strategy as LocalStrategy } from 'passport-local';
import { type Verifier, YubikeyStrategy } from 'passport-yubikey-otp';
import type { User, Users } from './users.js';

export type Passport = ReturnType<typeof createPassport>;

/** The two steps of a sign-in: a password says who you are, a touch of your YubiKey proves it. */
export function createPassport(users: Users, verifier: Verifier) {
  const authenticator = new passport.Passport();

  authenticator.use(
    new LocalStrategy((name, password, done) => {
      users.withPassword(name, password).then((user) => done(null, user ?? false), done);
    }),
  );

  authenticator.use(
    new YubikeyStrategy({ verifier, secondFactor: true }, ({ publicId }) => users.byKey(publicId)),
  );

  authenticator.serializeUser((user, done) => done(null, (user as User).id));
  authenticator.deserializeUser((id, done) => done(null, users.byId(Number(id)) ?? false));
  return authenticator;
}
