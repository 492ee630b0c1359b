import { types } from 'node:util';

/** The callback of a lookup. */
export type Done = (error: unknown, user?: Express.User | false | null, info?: object) => void;

// biome-ignore lint/suspicious/noConfusingVoidType: the result of a function without a return statement
type Nothing = void;
type Found = Express.User | false | null | undefined;

/**
 * Finds the user who owns a key. The first of these decides: a call of `done(error, user, info)`, a promise, or the
 * return value. `false`, `null` and `undefined` mean that no user was found.
 *
 * If the lookup declares `done`, only `done` or a `Promise` decides. Any other return value is ignored, because in
 * `(identity, done) => db.query(sql, done)` it is often not a user, and has a `then` without being a promise. Do not
 * call `done` later from an `async` function, because its promise of undefined comes first.
 */
export type Lookup<Args extends unknown[]> = (
  ...args: [...Args, Done]
) => Found | Nothing | Promise<Found | Nothing>;

/** Calls a lookup and waits for its first result; later ones are ignored. Rejects with the lookup's own error. */
export function lookUp(
  lookup: (...args: never[]) => unknown,
  args: readonly unknown[],
): Promise<{ user: Found; info: object | undefined }> {
  return new Promise((resolve, reject) => {
    const found = async (user: unknown, info?: object) => ({ user: (await user) as Found, info });
    const done: Done = (error, user, info) => (error ? reject(error) : resolve(found(user, info)));
    const returned = (lookup as (...args: unknown[]) => unknown)(...args, done);
    const declaresDone = lookup.length > args.length;
    if (!declaresDone || isPromise(returned)) found(returned).then(resolve, reject);
  });
}

function isPromise(value: unknown): boolean {
  return types.isPromise(value) || value instanceof Promise;
}
