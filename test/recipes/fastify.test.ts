import { describe } from 'vitest';
import { secondFactorContract } from './second-factor-contract.js';

describe('the recipe for Fastify', () => {
  secondFactorContract('fastify', (browser) => browser.get('/account'));
});
