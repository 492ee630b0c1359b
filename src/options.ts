/** The names of an options interface. A missing or an additional name does not compile. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Refuses unknown options, such as a misspelt one, whose default would otherwise apply silently. An option is an own
 * enumerable property with a string as its name, whatever its value; methods and accessors of a class are not options.
 *
 * Accepts anything that is not an object: callers that require options check that themselves.
 *
 * @throws TypeError that names the option and the most similar known one, but never the value.
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
 * The same for functions whose options are all optional: it also refuses a value that is not an object, as in
 * `requireSecondFactor(60_000)`.
 *
 * @throws TypeError
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

/** @throws TypeError for a value that is not an AbortSignal, such as its controller, which could not end the wait. */
export function assertSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.addEventListener === 'function') return;
  throw new TypeError('signal must be an AbortSignal, such as the signal of an AbortController');
}

/** The most similar name. Distances are relative to the lengths, because any two short names differ by few letters. */
function nearest(name: string, known: readonly string[]): string {
  const difference = (other: string) =>
    distance(name.toLowerCase(), other.toLowerCase()) / Math.max(name.length, other.length);
  return known.reduce((best, other) => (difference(other) < difference(best) ? other : best));
}

/** The Levenshtein distance: how many letters must be inserted, removed or changed. */
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
