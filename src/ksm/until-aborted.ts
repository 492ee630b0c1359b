/**
 * Waits for work, and no longer than until the signal: what it rejects with then is made of the signal's reason. Work
 * that heeds the signal itself, and settles at once, knows better what became of it and is believed.
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
