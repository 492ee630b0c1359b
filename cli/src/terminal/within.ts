/** The time limit for an answer of a database. The stores have the same. */
export const ANSWER_MS = 5_000;

/** Waits for work that may hang, but not longer than the given time. Resolves with whether the work is done. */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  return Promise.race([work.then(() => true), late]).finally(() => clearTimeout(timer));
}

/** @throws Error if the database does not answer in time. */
export async function awaitAnswer<T>(work: Promise<T>): Promise<T> {
  if (!(await within(ANSWER_MS, work))) throw new Error(`no answer within ${ANSWER_MS} ms`);
  return work;
}
