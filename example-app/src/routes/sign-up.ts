import { Router } from 'express';
import { readName } from '../accounts/names.js';
import { isDemoPassword, isGoodPassword } from '../accounts/passwords.js';
import { FormError } from '../errors.js';
import { setProof } from '../proofs.js';
import type { Services } from '../services.js';
import { signIn } from '../sign-in.js';

/** Signing up, with a name and a password. The account's pages then offer to add the first key. */
export function signUpRoutes({ accounts, activity, limits }: Services): Router {
  const router = Router();

  router.get('/sign-up', (req, res) => (req.user ? res.redirect('/account') : res.render('sign-up')));

  router.post('/sign-up', limits.signUp.attempt, async (req, res) => {
    const name = readName(req.body.username);
    if (!name) throw new FormError(400, 'A name must have 1 to 40 visible characters.');
    if (!isGoodPassword(req.body.password)) {
      throw new FormError(400, 'A password must have at least 8 characters, and no more than 1000.');
    }
    if (isDemoPassword(req.body.password)) {
      throw new FormError(400, 'Everybody knows this password from the demo. Choose another one.');
    }
    const account = await accounts.add(name, req.body.password);
    if (!account) throw new FormError(409, 'This name is taken. Choose another one.');
    await signIn(req, account);
    setProof(req, 'password');
    await activity.record(req, account, 'Signed up');
    res.redirect('/account');
  });

  return router;
}
