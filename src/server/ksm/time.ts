/** A time in whole seconds, as the REST API writes it. */
export function timeOf(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z');
}
