/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a variable without white space around it. Undefined if it is empty: many tools leave a variable out that way. */
export function readVariable(name: string, environment: Environment = process.env): string | undefined {
  return environment[name]?.trim() || undefined;
}
