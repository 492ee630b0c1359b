import { type Done, type Lookup, YubikeyError, type YubikeyIdentity } from '../../../src/index.js';
import { ALICE, BOB } from './app.js';

type ALookup = Lookup<[YubikeyIdentity]>;
type Validate = () => unknown;

const DATABASE_DOWN = Object.assign(new Error('database down'), { status: 418, code: 'ECONNRESET' });
const later = (call: () => void) => void setTimeout(call, 1);
const never = new Promise<undefined>(() => undefined);

/** A query with a `then`, as in some drivers. */
const thenable = (then: (resolve: (user: unknown) => void) => void): object => ({ then });

/** The lookup that `PassportStrategy` of `@nestjs/passport` creates from a `validate` method. */
function nest(validate: Validate): ALookup {
  return async (...params: unknown[]) => {
    const done = params[params.length - 1] as Done;
    try {
      done(null, (await validate()) as Express.User);
    } catch (error) {
      done(error, null);
    }
  };
}

/** Lookups that find Alice. Everything else they do comes too late or does not count. */
export const FINDING: Record<string, ALookup> = {
  'returns a user': () => ALICE,
  'returns a promise of one': async () => ALICE,
  'returns a thenable': () => thenable((resolve) => resolve(ALICE)),
  'calls back': (_identity, done) => done(null, ALICE),
  'calls back later': (_identity, done) => later(() => done(null, ALICE)),
  'calls back with a promise': (_identity, done) => done(null, Promise.resolve(ALICE)),
  'calls back with undefined for no error': (_identity, done) => done(undefined, ALICE),
  'calls back twice': (_identity, done) => {
    done(null, ALICE);
    done(null, BOB);
  },
  'calls back again later': (_identity, done) => {
    done(null, ALICE);
    later(() => done(null, BOB));
  },
  'calls back, then with an error': (_identity, done) => {
    done(null, ALICE);
    done(DATABASE_DOWN);
  },
  'calls back and then throws': (_identity, done) => {
    done(null, ALICE);
    throw DATABASE_DOWN;
  },
  'calls back and then rejects': async (_identity, done) => {
    done(null, ALICE);
    throw DATABASE_DOWN;
  },
  'calls back and returns a promise of another user': (_identity, done) => {
    done(null, ALICE);
    return Promise.resolve(BOB);
  },
  'calls back and returns a promise that never settles': (_identity, done) => {
    done(null, ALICE);
    return never;
  },
  'returns a promise, and calls back later with another user': (_identity, done) => {
    later(() => done(null, BOB));
    return Promise.resolve(ALICE);
  },
  'declares done, and returns what a driver returns': (_identity, done) => {
    later(() => done(null, ALICE));
    return { sql: 'SELECT' };
  },
  'declares done, and returns false': (_identity, done) => {
    later(() => done(null, ALICE));
    return false;
  },
  // Like mysql2.
  'declares done, and returns what throws at then': (_identity, done) => {
    later(() => done(null, ALICE));
    return thenable(() => {
      throw new Error('not a promise');
    });
  },
  "is NestJS's": nest(async () => ALICE),
  "is NestJS's, of a validate that returns": nest(() => ALICE),
  "is NestJS's, with a callbackArity": Object.defineProperty(
    nest(async () => ALICE),
    'length',
    { value: 2 },
  ),
};

export const NOT_FINDING: Record<string, ALookup> = {
  'returns undefined': () => undefined,
  'returns nothing': () => {},
  'returns null': () => null,
  'returns false': () => false,
  'returns a promise of undefined': async () => {},
  'returns a promise of null': async () => null,
  'returns a promise of false': async () => false,
  'calls back with false': (_identity, done) => done(null, false),
  'calls back with null': (_identity, done) => done(null, null),
  'calls back with no user': (_identity, done) => done(null),
  'calls back with nothing': (_identity, done) => done(undefined),
  'calls back with a promise of no user': (_identity, done) => done(null, Promise.resolve(null)),
  'calls back with false, then with a user': (_identity, done) => {
    done(null, false);
    done(null, ALICE);
  },
  'calls back with false and returns a user': (_identity, done) => {
    done(null, false);
    return Promise.resolve(ALICE);
  },
  "is NestJS's": nest(async () => null),
  "is NestJS's, of a validate that throws nothing": nest(() => {
    throw undefined;
  }),
};

/** Lookups that fail, each with its own error. */
export const FAILING: Record<string, { error: Error; lookup: ALookup }> = Object.fromEntries(
  [DATABASE_DOWN, new YubikeyError('UNREACHABLE', 'a lookup may use it too')].flatMap((error) =>
    Object.entries(failingWith(error)).map(([how, lookup]) => [`${how} ${error.name}`, { error, lookup }]),
  ),
);

function failingWith(error: Error): Record<string, ALookup> {
  return {
    throws: () => {
      throw error;
    },
    rejects: () => Promise.reject(error),
    'throws though it declares done:': (_identity, _done) => {
      throw error;
    },
    'calls back with': (_identity, done) => done(error),
    'calls back later with': (_identity, done) => later(() => done(error)),
    'calls back, with a user too, with': (_identity, done) => done(error, ALICE),
    'calls back twice with': (_identity, done) => {
      done(error);
      done(error);
    },
    'returns a user after': (_identity, done) => {
      done(error);
      return Promise.resolve(ALICE);
    },
    'calls back with a promise that rejects with': (_identity, done) => done(null, Promise.reject(error)),
    "in NestJS's validate,": nest(() => Promise.reject(error)),
  };
}

/** Values that `next` does not treat as an error. */
export const NO_ERRORS = [undefined, null, false, 0, '', 'route', 'router'];
