import type { Request } from 'express';
import passport from 'passport';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type Done,
  Strategy,
  type Verifier,
  type YubikeyIdentity,
  YubikeyStrategy,
  type YubikeyStrategyOptions,
} from '../../src/index.js';
import { ALICE, credulousVerifier } from '../support/passport/app.js';

const verifier = credulousVerifier();
const lookup = () => ALICE;

describe('new YubikeyStrategy', () => {
  it.each<[string, unknown]>([
    ['no options', undefined],
    ['null', null],
    ['no verifier', {}],
    ['a verifier that cannot verify', { verifier: {} }],
    ['a verifier class instead of an instance', { verifier: class implements Partial<Verifier> {} }],
    ['the lookup instead of the options', lookup],
  ])('reports a missing verifier for %s', (_what, options) => {
    expect(
      () => new YubikeyStrategy(options as YubikeyStrategyOptions & { passReqToCallback: false }, lookup),
    ).toThrow(new TypeError('YubikeyStrategy requires verifier'));
  });

  it.each([undefined, null, {}, 'lookup'])('reports a missing lookup for %j', (given) => {
    expect(() => new YubikeyStrategy({ verifier }, given as unknown as typeof lookup)).toThrow(
      new TypeError('YubikeyStrategy requires a lookup function'),
    );
  });

  it('is called yubikey, or by its name option', () => {
    expect(new YubikeyStrategy({ verifier }, lookup).name).toBe('yubikey');
    expect(new YubikeyStrategy({ verifier, name: 'key' }, lookup).name).toBe('key');
  });

  it('is also exported as Strategy, as Passport strategies are', () => {
    expect(Strategy).toBe(YubikeyStrategy);
    expectTypeOf<Strategy>().toEqualTypeOf<YubikeyStrategy>();
  });

  it('does not call the verifier', () => {
    new YubikeyStrategy({ verifier }, lookup);
    expect(verifier.asked).toEqual([]);
  });
});

describe('the types', () => {
  it('pass an identity to the lookup', () => {
    new YubikeyStrategy({ verifier }, (identity, done) => {
      expectTypeOf(identity).toEqualTypeOf<YubikeyIdentity>();
      expectTypeOf(done).toEqualTypeOf<Done>();
    });
    new YubikeyStrategy({ verifier, passReqToCallback: false }, (identity) => {
      expectTypeOf(identity).toEqualTypeOf<YubikeyIdentity>();
    });
  });

  it('pass the request first with passReqToCallback: true', () => {
    new YubikeyStrategy({ verifier, passReqToCallback: true }, (req, identity, done) => {
      expectTypeOf(req).toEqualTypeOf<Request>();
      expectTypeOf(identity).toEqualTypeOf<YubikeyIdentity>();
      expectTypeOf(done).toEqualTypeOf<Done>();
    });
  });

  it('refuse a lookup that takes the request without it', () => {
    // @ts-expect-error
    new YubikeyStrategy({ verifier }, (req: Request, identity: YubikeyIdentity) => ({ req, identity }));
    // @ts-expect-error
    new YubikeyStrategy({ verifier, passReqToCallback: false }, (req: Request) => ({ req }));
  });

  it('refuse a lookup that takes the identity first with it', () => {
    // @ts-expect-error
    new YubikeyStrategy({ verifier, passReqToCallback: true }, (identity: YubikeyIdentity) => ({ identity }));
  });

  it('refuse a strategy without a verifier', () => {
    // @ts-expect-error
    expect(() => new YubikeyStrategy({}, lookup)).toThrow(TypeError);
  });

  it('fit Passport, by name and by instance', () => {
    const strategy = new YubikeyStrategy({ verifier }, lookup);
    const own = new passport.Passport();
    expect(() => own.use(strategy).authenticate(strategy)).not.toThrow();
  });
});
