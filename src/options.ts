/** The names of an options interface. One left out, or one too many, does not compile. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Refuses an option that nobody reads: what it should have changed would silently stay at its default. An option is an
 * own enumerable property with a string for its name, whatever its value; the methods and accessors of a class are none.
 *
 * What is no object has no options: whoever requires one says so.
 *
 * @throws TypeError that names the option and the nearest one there is, and never the value.
 */
export function assertOptions<Options extends object>(
  what: string,
  options: Options | undefined,
  names: OptionNames<NoInfer<Options>>,
): void {
  if (typeof options !== 'object' || options === null) return;
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue;
    throw new TypeError(`${what} has no option ${name}: did you mean ${nearest(name, Object.keys(names))}?`);
  }
}

/**
 * The same where no option is required, so that nobody else would notice `requireSecondFactor(60_000)`.
 *
 * @throws TypeError also for what is no object.
 */
export function assertOptional<Options extends object>(
  what: string,
  options: Options,
  names: OptionNames<NoInfer<Options>>,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${what} takes an object with the options ${Object.keys(names).join(', ')}`);
  }
  assertOptions(what, options, names);
}

/** @throws TypeError for what is no AbortSignal, such as the controller that has it: nothing would end the wait. */
export function assertSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.addEventListener === 'function') return;
  throw new TypeError('signal must be an AbortSignal, such as the signal of an AbortController');
}

/** In relation to their lengths, since any short name is but a few letters away from another short one. */
function nearest(name: string, known: readonly string[]): string {
  const difference = (other: string) =>
    distance(name.toLowerCase(), other.toLowerCase()) / Math.max(name.length, other.length);
  return known.reduce((best, other) => (difference(other) < difference(best) ? other : best));
}

/** How many letters must be put in, taken out or changed (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++) {
      const changed = (row[column - 1] as number) + (letter === to[column - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[column] as number) + 1, (next[column - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
