import express, { type RequestHandler } from 'express';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { COPIES, type Copy, type CopyName, installCopy, loadCopies } from '../support/package/copies.js';
import { Machine } from '../support/package/machine.js';
import { Realm } from '../support/package/realm.js';
import { ALICE, anOtp, credulousVerifier } from '../support/passport/app.js';
import { type OwnPassport, secondFactorApp } from '../support/passport/second-factor-app.js';

const FACTORS = Symbol.for('passport-yubikey-otp.verified-factors.v1');
const NOT_VERIFIED = { code: 'SECOND_FACTOR_NOT_VERIFIED' };

let machine: Machine;
let copies: Record<CopyName, Copy>;
/** A module that requires the package. */
let module: string;
beforeAll(async () => {
  machine = new Machine(inject('registry'));
  copies = await loadCopies(machine);
  module = await installCopy(machine);
}, 120_000);
afterAll(() => machine.remove());

type Handler = (own: OwnPassport) => RequestHandler;

/** Verifies Alice's key as her second factor, with the strategy of a copy. */
const verifyFactor =
  (copy: Copy): Handler =>
  (own) =>
    own.authenticate(
      new copy.YubikeyStrategy({ verifier: credulousVerifier(), secondFactor: true }, () => ALICE),
    );

const complete =
  (copy: Copy): Handler =>
  () =>
    copy.completeSecondFactor();

/** Alice, signed in with her password, who will now touch her key. */
async function signedIn(...stepUp: Handler[]) {
  const stepUpHandlers = (own: OwnPassport) => stepUp.map((handler) => handler(own));
  const alice = secondFactorApp({ express, stepUpHandlers }).browser();
  await alice.password('alice').expect(200);
  return alice;
}

/** The factor that one copy verifies is recorded by the other. */
async function expectSeen(verifying: Copy, recording: Copy): Promise<void> {
  const alice = await signedIn(verifyFactor(verifying), complete(recording));
  await alice.secret().expect(403);
  await alice.yubikey(anOtp()).expect(200, '"ok"');
  await alice.secret().expect(200, '"ok"');
}

async function expectNotSeen(...stepUp: Handler[]): Promise<void> {
  const alice = await signedIn(...stepUp);
  await alice.yubikey(anOtp()).expect(500, NOT_VERIFIED);
  await alice.secret().expect(403);
}

describe.each(COPIES)('the second factor that the strategy of %s verified', (verifying) => {
  it.each(COPIES)('is recorded by completeSecondFactor of %s', (recording) =>
    expectSeen(copies[verifying], copies[recording]),
  );

  it.each(COPIES)('is recorded by completeSecondFactor of %s only once', async (recording) => {
    const again = complete(copies[verifying]);
    const alice = await signedIn(verifyFactor(copies[verifying]), complete(copies[recording]), again);
    await alice.yubikey(anOtp()).expect(500, NOT_VERIFIED);
  });
});

describe.each(COPIES)('completeSecondFactor of %s', (recording) => {
  const factor = { userId: ALICE.id, publicId: 'vvcccccccccc', sessionIdBefore: undefined };

  it.each<[string, (req: object) => object]>([
    ['the verified factor', () => ({ ...factor, verifiedFactor: factor, secondFactor: factor })],
    ['the verified factor, under the symbol', () => ({ [FACTORS]: factor })],
    ['a map of factors, under the symbol', (req) => ({ [FACTORS]: new WeakMap([[req, factor]]) })],
  ])('ignores properties of the request: %s', async (_what, forge) => {
    const rotate: Handler = (own) => (req, res, next) => {
      Object.assign(req, forge(req));
      own.initialize()(req, res, () => req.login(ALICE, next));
    };
    await expectNotSeen(rotate, complete(copies[recording]));
  });
});

describe('the factors that the copies share', () => {
  it('cannot be exchanged', () => {
    expect(Object.getOwnPropertyDescriptor(globalThis, FACTORS)).toEqual({
      value: expect.any(WeakMap),
      writable: false,
      enumerable: false,
      configurable: false,
    });
    expect(Reflect.set(globalThis, FACTORS, new WeakMap())).toBe(false);
    expect(Reflect.deleteProperty(globalThis, FACTORS)).toBe(false);
  });

  it('are shared within a realm, as by two copies in one test file of Jest', async () => {
    const realm = new Realm();
    const [one, other] = [realm.load(module), realm.load(module)];
    expect(one.YubikeyStrategy).not.toBe(other.YubikeyStrategy);
    await expectSeen(one, other);
    await expectSeen(other, one);
  });

  it('are not shared with another realm, where the factor is refused, but errors are recognised', async () => {
    const [inside, outside] = [new Realm().load(module), copies.CommonJS];
    await expectSeen(inside, inside);
    await expectNotSeen(verifyFactor(inside), complete(outside));
    await expectNotSeen(verifyFactor(outside), complete(inside));
    expect(new inside.YubikeyError('CLOSED', '') instanceof outside.YubikeyError).toBe(true);
    expect(new outside.YubikeyError('CLOSED', '') instanceof inside.YubikeyError).toBe(true);
  });

  it.each([
    [
      'a map that somebody else has put there',
      '{ value: new WeakMap(), writable: true, configurable: true }',
    ],
    ['a map that somebody else may exchange', '{ value: new WeakMap(), writable: true }'],
  ])('replace %s', async (_what, descriptor) => {
    const realm = new Realm();
    realm.run(`var planted = ${descriptor}.value`);
    realm.run(`Object.defineProperty(globalThis, Symbol.for('${FACTORS.description}'), ${descriptor})`);
    const planted = realm.run(`globalThis[Symbol.for('${FACTORS.description}')]`);
    const [one, other] = [realm.load(module), realm.load(module)];
    expect(realm.run(`globalThis[Symbol.for('${FACTORS.description}')]`)).not.toBe(planted);
    await expectSeen(one, other);
  });

  it.each([
    [
      'something else is locked in their place',
      `Object.defineProperty(globalThis, Symbol.for('${FACTORS.description}'), { value: { get: () => ({ userId: 'alice', publicId: '' }), delete() {} } })`,
    ],
    [
      'an accessor is locked in their place',
      `Object.defineProperty(globalThis, Symbol.for('${FACTORS.description}'), { get: () => new WeakMap() })`,
    ],
  ])('are private to each copy where %s', async (_where, prepare) => {
    const realm = new Realm();
    realm.run(prepare);
    const [one, other] = [realm.load(module), realm.load(module)];
    await expectSeen(one, one);
    await expectNotSeen(verifyFactor(one), complete(other));
  });
});
