import type { ErrorRequestHandler, Request, RequestHandler } from 'express';

/**
 * What a visitor reads, by status. A refused OTP has one text whatever the reason: which keys exist, and whose
 * they are, is nobody else's business.
 */
const TEXTS: Record<number, string> = {
  400: 'This request is not one that the app understands.',
  403: 'This page was open for too long. Please try again.',
  404: 'There is no such page.',
  500: 'Something went wrong on our side. Please try again later.',
};

const FORMS: Record<string, { view: string; needsUser: boolean; texts: Record<number, string> }> = {
  '/login': {
    view: 'login',
    needsUser: false,
    texts: {
      400: 'Type your user name and your password.',
      401: 'This user name and this password do not go together.',
    },
  },
  '/login/yubikey': {
    view: 'yubikey',
    needsUser: true,
    texts: {
      400: 'This is not what a YubiKey types. Touch your key while the cursor is in the field.',
      401: 'This one-time password was not accepted. Touch your key again.',
      500: 'Your key could not be checked right now. Please touch it again in a moment.',
    },
  },
};

export const notFound: RequestHandler = (_req, _res, next) => {
  next(Object.assign(new Error('Not found'), { status: 404 }));
};

/** Where everything that went wrong ends up: a wrong form is shown again, all else gets a page of its own. */
export const errorHandler: ErrorRequestHandler = (error, req, res, next) => {
  if (res.headersSent) return next(error);
  const status = statusOf(error);
  // For the operator. Neither what was typed nor a secret is in these errors.
  if (status >= 500) console.error(error);

  // A session that cannot be read has no CSRF token for a form.
  const form = res.locals.csrfToken ? formOf(req) : undefined;
  const message = textFor(status, { ...TEXTS, ...form?.texts });
  if (form) res.status(status).render(form.view, { error: message, name: nameOf(req) });
  else res.status(status).render('error', { error: message });
};

/** What the client got wrong has a status of its own, be it from Passport, a body parser or this package. */
function statusOf(error: unknown): number {
  const status = Number((error as { status?: unknown })?.status);
  if (status === 413) return 400;
  return status >= 400 && status <= 599 ? status : 500;
}

function textFor(status: number, texts: Record<number, string>): string | undefined {
  return texts[status] ?? texts[status < 500 ? 400 : 500];
}

function formOf(req: Request) {
  const form = req.method === 'POST' ? FORMS[req.path] : undefined;
  return form?.needsUser && !req.user ? undefined : form;
}

/** Kept, so that only the password has to be typed again. */
function nameOf(req: Request): string | undefined {
  const name: unknown = req.body?.username;
  return typeof name === 'string' ? name : undefined;
}
