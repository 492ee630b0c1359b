import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import passport from 'passport';
import { Strategy as LocalStrategy } from 'passport-local';
import { YubikeyStrategy } from 'passport-yubikey-otp';

/**
 * An Express app that signs users in with the strategy named in its argument and answers with the user. It sends its
 * port to the parent process, and on each message the processor time that it has used.
 */
const authenticator = new passport.Passport();
const findUser = (id: string) => ({ id });

authenticator.use(new LocalStrategy((username, _password, done) => done(null, findUser(username))));
authenticator.use(
  new YubikeyStrategy(
    { verifier: { verify: async ({ publicId }) => ({ ok: true, identity: { publicId } }) } },
    ({ publicId }, done) => done(null, findUser(publicId)),
  ),
);

const none: RequestHandler = (req, _res, next) => {
  req.user = findUser(req.body.username);
  next();
};

const way = process.argv[2] as string;
const signIn = way === 'none' ? none : authenticator.authenticate(way, { session: false });
const app = express();
app.use(express.urlencoded({ extended: false }));
app.post('/login', signIn, (req, res) => void res.json({ user: (req.user as { id: string }).id }));
const server = app.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', () => process.send?.(process.cpuUsage()));
process.once('disconnect', () => process.exit());
