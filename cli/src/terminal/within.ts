/** So long an answer of a database may take; the stores wait as long. */
export const ANSWER_MS = 5_000;

/** Waits for work that may hang, no longer than so many milliseconds, and says whether it is done. */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  return Promise.race([work.then(() => true), late]).finally(() => clearTimeout(timer));
}

/** @throws Error where the database does not answer in time. */
export async function awaitAnswer<T>(work: Promise<T>): Promise<T> {
  if (!(await within(ANSWER_MS, work))) throw new Error(`no answer within ${ANSWER_MS} ms`);
  return work;
}
