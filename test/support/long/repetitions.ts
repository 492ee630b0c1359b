export const isShort = process.env.LONG === 'short';

/** How often to repeat something: `full` times, or `short` times with LONG=short. */
export const repetitions = (full: number, short: number) => (isShort ? short : full);
