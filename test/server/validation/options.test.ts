import { expect, it } from 'vitest';
import { MemoryStore } from '../../../src/index.js';
import { type ValidationListenerOptions, validationListener } from '../../../src/server/index.js';

const { clients, keys } = new MemoryStore();
const verifier = { verify: () => Promise.reject(new Error('not asked')) };

it.each([
  ['no options', undefined, 'verifier'],
  ['no verifier', { clients }, 'verifier'],
  ['something that is not a verifier', { verifier: keys, clients }, 'verifier'],
  ['no clients', { verifier }, 'clients'],
  ['something that is not a client store', { verifier, clients: {} }, 'clients'],
])('validationListener refuses %s, and names the required option', (_, options, name) => {
  const make = () => validationListener(options as unknown as ValidationListenerOptions);
  expect(make).toThrow(TypeError);
  expect(make).toThrow(`validationListener requires ${name}`);
});
