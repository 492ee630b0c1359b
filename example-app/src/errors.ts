import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { nextPage } from './next-page.js';
import { touchHint } from './touch-hint.js';

/**
 * Messages for visitors, by status. A refused OTP has the same message whatever the reason, so that it does not
 * reveal which keys exist and who owns them.
 */
const TEXTS: Record<number, string> = {
  400: 'The app does not understand this request.',
  403: 'This page was open for too long. Please try again.',
  404: 'There is no such page.',
  500: 'Something went wrong on our side. Please try again later.',
};

const NO_OTP = 'This is not what a YubiKey types. Touch your key while the cursor is in the field.';
const CANNOT_TELL = 'Your key could not be checked right now. Please touch it again in a moment.';
/** For faults that may have used the OTP up, so that it would be refused if sent again. */
const USED_UP = 'Your touch was received, but the answer was lost. Please touch your key again.';
const USED_UP_CODES = ['ANSWER_LOST', 'NOT_ENOUGH_ANSWERS'];

interface Form {
  view: string;
  needsUser: boolean;
  texts: Record<number, string>;
}

/** The forms that are shown again after a refusal, by the path they are sent to. */
const FORMS: Record<string, Form> = {
  '/login': {
    view: 'login',
    needsUser: false,
    texts: {
      400: 'Type your user name and your password.',
      401: 'This user name and password do not match.',
    },
  },
  '/login/key': {
    view: 'login',
    needsUser: false,
    texts: {
      400: NO_OTP,
      401: 'This one-time password was not accepted. Touch your key again, or sign in with your password.',
      500: CANNOT_TELL,
    },
  },
  '/login/yubikey': {
    view: 'yubikey',
    needsUser: true,
    texts: {
      400: NO_OTP,
      401: 'This one-time password was not accepted. Touch your key again.',
      500: CANNOT_TELL,
    },
  },
  '/login/recovery': {
    view: 'recovery',
    needsUser: true,
    texts: {
      400: 'Type one of your recovery codes.',
      401: 'This recovery code was not accepted. Each code works once, and new codes replace all earlier ones.',
    },
  },
  '/sign-up': { view: 'sign-up', needsUser: false, texts: {} },
  '/account/keys/add': {
    view: 'add-key',
    needsUser: true,
    texts: {
      400: NO_OTP,
      401: 'This key was not added. Touch it again; if that does not help, it cannot be used with this account.',
      500: CANNOT_TELL,
    },
  },
};

/** A visitor's mistake, with a message of its own if the form's message for the status does not fit. */
export class FormError extends Error {
  override readonly name = 'FormError';

  constructor(
    readonly status: number,
    readonly words?: string,
  ) {
    super(words ?? `Refused with ${status}`);
  }
}

export const notFound: RequestHandler = (_req, _res, next) => {
  next(new FormError(404));
};

/** Handles everything that went wrong: a refused form is shown again, all other errors have a page of their own. */
export const errorHandler: ErrorRequestHandler = (error, req, res, next) => {
  if (res.headersSent) return next(error);
  const status = toStatus(error);
  // For the operator. These errors contain no secrets and nothing that was typed.
  if (status >= 500) console.error(error);

  // A session that cannot be read has no CSRF token for a form.
  const form = res.locals.csrfToken ? findForm(req) : undefined;
  const message = errorMessage(error, res) ?? statusMessage(status, { ...TEXTS, ...form?.texts });
  const hint = [400, 401].includes(status) ? touchHint(req.body?.otp) : undefined;
  const words = [message, hint].filter(Boolean).join(' ');
  res.status(status);
  if (form) res.render(form.view, { error: words, form: req.path, ...keptFields(req) });
  else res.render('error', { error: message });
};

/** The status that Passport, a body parser or the library gave to an error; otherwise 500. */
function toStatus(error: unknown): number {
  const status = Number((error as { status?: unknown })?.status);
  if (status === 413) return 400;
  return status >= 400 && status <= 599 ? status : 500;
}

function errorMessage(error: unknown, res: Response): string | undefined {
  if (error instanceof FormError) return error.words;
  const { code, retryAfterSeconds } = error as { code?: unknown; retryAfterSeconds?: unknown };
  if (typeof retryAfterSeconds === 'number') {
    res.set('Retry-After', String(retryAfterSeconds));
    const minutes = Math.ceil(retryAfterSeconds / 60);
    return `Too many attempts. Please try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`;
  }
  return USED_UP_CODES.includes(String(code)) ? USED_UP : undefined;
}

function statusMessage(status: number, texts: Record<number, string>): string | undefined {
  return texts[status] ?? texts[status < 500 ? 400 : 500];
}

function findForm(req: Request) {
  const form = req.method === 'POST' ? FORMS[req.path] : undefined;
  return form?.needsUser && !req.user ? undefined : form;
}

/** Fields that are filled in again, so that only the secret has to be retyped. */
function keptFields({ body }: Request) {
  const name: unknown = body?.username ?? body?.name;
  return { name: typeof name === 'string' ? name : undefined, next: nextPage(body?.next) };
}
