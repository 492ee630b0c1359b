const LONGEST = 40;

/** A name of an account or of a key: 1 to 40 characters that can be seen, or undefined. */
export function readName(typed: unknown): string | undefined {
  if (typeof typed !== 'string') return undefined;
  const name = typed.trim().normalize('NFC');
  const length = [...name].length;
  // Control characters, and those that turn the direction of what follows or cannot be seen.
  return length >= 1 && length <= LONGEST && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)
    ? name
    : undefined;
}
