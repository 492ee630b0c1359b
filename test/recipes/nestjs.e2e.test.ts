import { describe } from 'vitest';
import { secondFactorContract } from '../support/recipes/second-factor-contract.js';

describe('the recipe for NestJS', () => {
  secondFactorContract('nestjs', (browser) => browser.get('/account'));
});
