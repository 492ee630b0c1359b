/**
 * Waits for work until the signal fires, and then rejects with an error made from the signal's reason. If the work
 * settles in response to the signal itself, its result is used instead, since it is more precise.
 */
export function untilAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  toFault: (reason: unknown) => Error,
): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => setImmediate(() => reject(toFault(signal.reason)));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
