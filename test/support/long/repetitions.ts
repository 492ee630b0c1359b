export const isShort = process.env.LONG === 'short';

/** How often to do something: all of it, or a part of it with LONG=short. */
export const repetitions = (full: number, short: number) => (isShort ? short : full);
