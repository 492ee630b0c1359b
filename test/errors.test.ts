import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { YubikeyError } from '../src/errors.js';
import { FileLost } from '../src/stores/sqlite/sqlite-faults.js';

const BRAND = Symbol.for('passport-yubikey-otp.YubikeyError.v1');

/** The class again, as a second copy of this package would have it. */
const path = '../src/errors.js?another-copy';
const Another = ((await import(path)) as { YubikeyError: typeof YubikeyError }).YubikeyError;

const error = new YubikeyError('CLOSED', 'closed');
const another = new Another('CLOSED', 'closed');

class Subclass extends YubikeyError {}
class SubSubclass extends Subclass {}
const subclassed = new SubSubclass('CLOSED', 'closed');

describe('instanceof YubikeyError', () => {
  it('holds for the errors of each copy, in each copy', () => {
    expect(Another).not.toBe(YubikeyError);
    for (const each of [error, another]) {
      expect(each instanceof YubikeyError).toBe(true);
      expect(each instanceof Another).toBe(true);
      expect(each instanceof Error).toBe(true);
    }
    assert.throws(() => {
      throw another;
    }, YubikeyError);
  });

  it('holds for the errors of a copy in another realm, such as the globals of Jest', () => {
    const inRealm = runInNewContext(`
      class YubikeyError extends Error {}
      Object.defineProperty(YubikeyError.prototype, Symbol.for('${BRAND.description}'), { value: true });
      new YubikeyError('closed');
    `);
    expect(inRealm instanceof Error).toBe(false);
    expect(inRealm instanceof YubikeyError).toBe(true);
  });

  it('holds for subclasses, also in another copy', () => {
    for (const each of [subclassed, new FileLost('lost')]) {
      expect(each instanceof YubikeyError).toBe(true);
      expect(each instanceof Another).toBe(true);
    }
  });

  it('holds for what is made from the prototype, as some libraries clone errors', () => {
    expect(Object.create(Object.getPrototypeOf(error)) instanceof YubikeyError).toBe(true);
  });

  it.each<[string, unknown]>([
    ['another error', new Error('closed')],
    ['another error with the same properties', Object.assign(new Error('closed'), { ...error })],
    ['a plain object with the same properties', { ...error, message: 'closed', stack: error.stack }],
    ['a plain object with the brand', { code: 'CLOSED', status: 500, [BRAND]: true }],
    ['what is left of it in JSON', JSON.parse(JSON.stringify(error))],
    ['what is left of it in a message to a thread', structuredClone(error)],
    ['the prototype', YubikeyError.prototype],
    ['the class', YubikeyError],
    ['its code', error.code],
    ['null', null],
    ['undefined', undefined],
  ])('does not hold for %s', (_what, value) => {
    expect(value instanceof YubikeyError).toBe(false);
    expect(value instanceof Another).toBe(false);
  });
});

describe('instanceof a subclass of YubikeyError', () => {
  it('holds for its own errors', () => {
    expect(subclassed instanceof Subclass).toBe(true);
    expect(subclassed instanceof SubSubclass).toBe(true);
    expect(new FileLost('lost') instanceof FileLost).toBe(true);
  });

  it.each([
    ['its base class', error],
    ['another copy', another],
    ['a sibling', new FileLost('lost')],
    ['its own base class', new Subclass('CLOSED', 'closed')],
  ])('does not hold for an error of %s', (_whose, other) => {
    expect(other instanceof SubSubclass).toBe(false);
  });

  it.each([
    ['its base class', error],
    ['another copy', another],
    ['a sibling', subclassed],
  ])('FileLost does not hold for an error of %s', (_whose, other) => {
    expect(other instanceof FileLost).toBe(false);
  });
});

describe('the brand of YubikeyError', () => {
  it('is in no log, no JSON and no copy of the properties', () => {
    expect(inspect(error, { depth: Infinity })).not.toContain(BRAND.description);
    expect(Object.keys(JSON.parse(JSON.stringify(error)))).toEqual(['name', 'code', 'status', 'servers']);
    expect(Reflect.ownKeys(error)).not.toContain(BRAND);
    expect(Reflect.ownKeys({ ...error })).toEqual(['name', 'code', 'status', 'servers']);
    const names: string[] = [];
    for (const name in error) names.push(name);
    expect(names).toEqual(['name', 'code', 'status', 'servers']);
  });

  it('cannot be changed or removed', () => {
    expect(Reflect.set(error, BRAND, false)).toBe(false);
    expect(Reflect.deleteProperty(YubikeyError.prototype, BRAND)).toBe(false);
    expect(Reflect.defineProperty(YubikeyError.prototype, BRAND, { value: false })).toBe(false);
    expect(another instanceof YubikeyError).toBe(true);
  });
});
