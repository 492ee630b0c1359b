import { describe, it } from 'vitest';
import type { Browser } from '../support/recipes/recipe.js';
import { secondFactorContract, touch } from '../support/recipes/second-factor-contract.js';

const MINUTE = 60 * 1000;

const transfer = (browser: Browser) => browser.post('/transfer').send({ amount: 100 });

describe('the recipe for step-up', () => {
  const { recipe, signedIn } = secondFactorContract('step-up', transfer);

  it('asks only for the password on other routes', async () => {
    await recipe.browser().get('/account').expect(401);
    const browser = await signedIn('bob');
    await browser.get('/account').expect(200, { user: 'bob' });
  });

  it('gives the reason for a refusal as a code', async () => {
    await transfer(recipe.browser()).expect(401, { code: 'NOT_SIGNED_IN' });
    await transfer(await signedIn('bob')).expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
  });

  it('asks for a new touch after five minutes, but not for the password', async () => {
    const browser = await signedIn('bob');
    await touch(browser, recipe.keys.bob.press()).expect(200);
    await recipe.later(4 * MINUTE);
    await transfer(browser).expect(200, { transferred: 100 });
    await recipe.later(2 * MINUTE);
    await transfer(browser).expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    await browser.get('/account').expect(200);
    await touch(browser, recipe.keys.bob.press()).expect(200);
    await transfer(browser).expect(200);
  });
});
