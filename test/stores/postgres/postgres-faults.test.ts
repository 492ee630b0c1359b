import { expect, it } from 'vitest';
import { classifyPostgresFault } from '../../../src/stores/postgres/postgres-faults.js';

it.each([
  ['55P03', 'ERROR', 'LOCKED'],
  ['22003', 'ERROR', 'ITEM_REFUSED'],
  ['23514', 'FEHLER', 'ITEM_REFUSED'],
  ['P0001', 'ERROR', 'ITEM_REFUSED'],
  ['42501', 'ERROR', 'REFUSED'],
  ['40P01', 'ERROR', 'REFUSED'],
  ['40003', 'ERROR', 'UNANSWERED'],
  ['57P01', 'FATAL', 'UNANSWERED'],
  ['55P03', 'FATAL', 'UNANSWERED'],
  ['23514', 'PANIC', 'UNANSWERED'],
  ['08006', undefined, 'UNANSWERED'],
  ['53100', 'PANIC', 'UNANSWERED'],
  ['ECONNRESET', undefined, 'UNANSWERED'],
  [undefined, undefined, 'UNANSWERED'],
])('PostgreSQL error %s with the severity %s means %s', (code, severity, fault) => {
  expect(classifyPostgresFault(Object.assign(new Error('failed'), { code, severity }))).toBe(fault);
});
