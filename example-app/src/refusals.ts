import type { ErrorRequestHandler, Request } from 'express';

/** Goes after the check of a form: records a refusal, and leaves the response to the app's error handler. */
export function onRefusal(record: (req: Request) => unknown): ErrorRequestHandler {
  return async (error, req, _res, next) => {
    if (error?.status === 401) await record(req);
    next(error);
  };
}
