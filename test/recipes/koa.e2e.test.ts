import { describe } from 'vitest';
import { secondFactorContract } from '../support/recipes/second-factor-contract.js';

describe('the recipe for Koa', () => {
  secondFactorContract('koa', (browser) => browser.get('/account'));
});
