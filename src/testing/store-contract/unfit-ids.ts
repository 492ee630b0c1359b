/** Values that are not text, and text that a database may refuse. */
export const UNFIT_IDS = [null, true, { a: 1 }, ['c'], 'c\0', 'c\ud800'] as unknown as string[];
