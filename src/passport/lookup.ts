import { types } from 'node:util';

/** What a lookup calls, or returns a promise of, when it is done. */
export type Done = (error: unknown, user?: Express.User | false | null, info?: object) => void;

// biome-ignore lint/suspicious/noConfusingVoidType: what a function without a return statement returns
type Nothing = void;
type Found = Express.User | false | null | undefined;

/**
 * Finds the user whose key it is. It settles by `done(error, user, info)`, by a promise, or by what it returns,
 * whichever comes first; nothing found is `false`, `null` or `undefined`.
 *
 * One that declares `done` settles by `done` or a `Promise` only: what it returns otherwise is, as in
 * `(identity, done) => db.query(sql, done)`, often not a user, nor a promise though it has a `then`. So do not
 * call `done` later from an `async` function: its promise of undefined comes first.
 */
export type Lookup<Args extends unknown[]> = (
  ...args: [...Args, Done]
) => Found | Nothing | Promise<Found | Nothing>;

/** Calls a lookup and waits for its first answer; later ones are ignored. Rejects with the lookup's own error. */
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
