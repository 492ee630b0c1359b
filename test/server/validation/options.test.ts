import { expect, it } from 'vitest';
import { MemoryStore } from '../../../src/index.js';
import { type ValidationListenerOptions, validationListener } from '../../../src/server/index.js';

const { clients, keys } = new MemoryStore();
const verifier = { verify: () => Promise.reject(new Error('not asked')) };

it.each([
  ['nothing', undefined, 'verifier'],
  ['no verifier', { clients }, 'verifier'],
  ['what is no verifier', { verifier: keys, clients }, 'verifier'],
  ['no clients', { verifier }, 'clients'],
  ['what are no clients', { verifier, clients: {} }, 'clients'],
])('validationListener refuses %s, and says what it requires', (_, options, name) => {
  const make = () => validationListener(options as unknown as ValidationListenerOptions);
  expect(make).toThrow(TypeError);
  expect(make).toThrow(`validationListener requires ${name}`);
});
