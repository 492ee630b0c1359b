import type { ErrorRequestHandler, Request } from 'express';

/** Behind the check of a form: notes that it was refused, and leaves the answer to the app's error handler. */
export function onRefusal(note: (req: Request) => unknown): ErrorRequestHandler {
  return async (error, req, _res, next) => {
    if (error?.status === 401) await note(req);
    next(error);
  };
}
