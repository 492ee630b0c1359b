import { describe } from 'vitest';
import { secondFactorContract } from '../support/recipes/second-factor-contract.js';

describe('the recipe for Fastify', () => {
  secondFactorContract('fastify', (browser) => browser.get('/account'));
});
