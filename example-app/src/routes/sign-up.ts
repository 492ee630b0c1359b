import { Router } from 'express';
import { readName } from '../accounts/names.js';
import { isDemoPassword, isGoodPassword } from '../accounts/passwords.js';
import { FormError } from '../errors.js';
import { setProof } from '../proofs.js';
import type { Services } from '../services.js';
import { signIn } from '../sign-in.js';

/** A new account: a name and a password. Its first key comes next, from its own pages. */
export function signUpRoutes({ accounts, activity, limits }: Services): Router {
  const router = Router();

  router.get('/sign-up', (req, res) => (req.user ? res.redirect('/account') : res.render('sign-up')));

  router.post('/sign-up', limits.signUp.attempt, async (req, res) => {
    const name = readName(req.body.username);
    if (!name) throw new FormError(400, 'A name has 1 to 40 characters that can be seen.');
    if (!isGoodPassword(req.body.password)) {
      throw new FormError(400, 'A password has at least 8 characters, and not more than a thousand.');
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
