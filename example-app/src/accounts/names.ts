const LONGEST = 40;

/** The typed name of an account or a key, trimmed; undefined unless it has 1 to 40 visible characters. */
export function readName(typed: unknown): string | undefined {
  if (typeof typed !== 'string') return undefined;
  const name = typed.trim().normalize('NFC');
  const length = [...name].length;
  // Control characters, marks that change the text direction, and other invisible characters.
  return length >= 1 && length <= LONGEST && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)
    ? name
    : undefined;
}
