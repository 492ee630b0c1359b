import type { RequestHandler } from 'express';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { appendedOtp, YubikeyStrategy, type YubikeyStrategyOptions } from '../../src/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import {
  ALICE,
  anOtp,
  credulousVerifier,
  EXPRESSES,
  type Express,
  logIn,
  signInApp,
} from '../support/passport/app.js';

const OTP = anOtp();
const OTHER = anOtp();

type Options = Omit<YubikeyStrategyOptions, 'verifier' | 'passReqToCallback'>;

function appWith(express: Express, options: Options, parsers?: RequestHandler[]) {
  const verifier = credulousVerifier();
  const strategy = new YubikeyStrategy({ ...options, verifier }, () => ALICE);
  const { app, reached } = signInApp(express, strategy, parsers ? { parsers } : {});
  return { app, reached, asked: () => verifier.asked.map(({ value }) => value) };
}

describe.each(EXPRESSES)('otpField on $version', ({ express }) => {
  it.each([true, false])('is nested in a form parsed with extended: %s', async (extended) => {
    const parsers = [express.urlencoded({ extended })];
    const { app, asked } = appWith(express, { otpField: 'user[otp]' }, parsers);
    await request(app).post('/login').type('form').send(`user[otp]=${OTP}&otp=${OTHER}`).expect(200);
    await request(app).post('/login').type('form').send(`user%5Botp%5D=${OTP}`).expect(200);
    expect(asked()).toEqual([OTP, OTP]);
  });

  it('is nested in JSON, or one key in JSON', async () => {
    const { app, asked } = appWith(express, { otpField: 'user[otp]' });
    await logIn(app, { user: { otp: OTP } }).expect(200);
    await logIn(app, { 'user[otp]': OTHER }).expect(200);
    expect(asked()).toEqual([OTP, OTHER]);
  });

  it('is nested more than once', async () => {
    const { app, asked } = appWith(express, { otpField: 'a[b][c]' });
    await logIn(app, { a: { b: { c: OTP } } }).expect(200);
    expect(asked()).toEqual([OTP]);
  });

  it.each([{ user: OTP }, { user: [OTP] }, { user: null }, { user: { otp: [OTP] } }, { otp: OTP }, {}])(
    'is missing from %j if it is nested',
    async (body) => {
      const { app, asked } = appWith(express, { otpField: 'user[otp]' });
      await logIn(app, body).expect(400);
      expect(asked()).toEqual([]);
    },
  );

  it.each([
    'constructor',
    '__proto__',
    'toString',
    'user[constructor]',
    'constructor[name]',
    '__proto__[otp]',
  ])('is never an inherited property: %s', async (otpField) => {
    const { app, reached } = appWith(express, { otpField, allowOtpInQuery: true });
    await logIn(app, { user: {} }).expect(400);
    await request(app).post('/login').type('form').send('user[a]=b').expect(400);
    await request(app).post('/login').expect(400);
    expect(reached).toEqual([]);
  });

  it('is never inherited, even if the inherited value is an OTP', async () => {
    const inherit: RequestHandler = (req, _res, next) => {
      req.body = Object.create({ otp: OTP, user: { otp: OTP } });
      next();
    };
    for (const otpField of ['otp', 'user[otp]']) {
      const { app, asked } = appWith(express, { otpField }, [inherit]);
      await logIn(app, {}).expect(400);
      expect(asked()).toEqual([]);
    }
  });

  it('may have the name of an inherited property', async () => {
    const { app, asked } = appWith(express, { otpField: 'constructor' });
    await logIn(app, { constructor: OTP }).expect(200);
    expect(asked()).toEqual([OTP]);
  });
});

describe.each(EXPRESSES)('an OTP in the query on $version', ({ express }) => {
  const query = `/login?otp=${OTP}`;

  it('is refused', async () => {
    const { app, asked } = appWith(express, {});
    await request(app).post(query).expect(400);
    expect(asked()).toEqual([]);
  });

  it('is read with allowOtpInQuery', async () => {
    const { app, asked } = appWith(express, { allowOtpInQuery: true });
    await request(app).post(query).expect(200);
    expect(asked()).toEqual([OTP]);
  });

  it('may be nested', async () => {
    const { app, asked } = appWith(express, { allowOtpInQuery: true, otpField: 'user[otp]' });
    await request(app).post(`/login?user[otp]=${OTP}`).expect(200);
    expect(asked()).toEqual([OTP]);
  });

  it('is ignored if the body has one', async () => {
    const { app, asked } = appWith(express, { allowOtpInQuery: true });
    await request(app).post(query).send({ otp: OTHER }).expect(200);
    expect(asked()).toEqual([OTHER]);
  });

  it.each(['', 'not an OTP', [OTHER], 0, false])('is ignored if the body has %j', async (otp) => {
    const { app, asked } = appWith(express, { allowOtpInQuery: true });
    await request(app).post(query).send({ otp }).expect(400);
    expect(asked()).toEqual([]);
  });

  it.each([`otp=${OTP}&otp=${OTP}`, `otp[]=${OTP}`, `otp[a]=${OTP}`, 'otp=', 'otp'])(
    'is refused with 400 as %s',
    async (search) => {
      const { app, asked } = appWith(express, { allowOtpInQuery: true });
      await request(app).post(`/login?${search}`).expect(400);
      expect(asked()).toEqual([]);
    },
  );
});

describe.each(EXPRESSES)('extractOtp on $version', ({ express }) => {
  it('takes the OTP from anywhere in the request, and is the only source', async () => {
    const { app, asked } = appWith(express, { extractOtp: (req) => req.get('x-otp') });
    await logIn(app, { otp: OTHER }).set('x-otp', OTP).expect(200);
    await logIn(app, { otp: OTHER }).expect(400);
    expect(asked()).toEqual([OTP]);
  });

  it.each([undefined, null, '', 'password', [OTP], Promise.resolve(OTP), { OTP }, 7, Symbol('otp')])(
    'is refused with 400 if it returns something that is not an OTP, case %#',
    async (typed) => {
      const { app, asked } = appWith(express, { extractOtp: () => typed });
      await logIn(app, {}).expect(400);
      expect(asked()).toEqual([]);
    },
  );

  it('has its own error passed on', async () => {
    const error = Object.assign(new Error('no such header'), { status: 418 });
    const extractOtp = () => {
      throw error;
    };
    const { app, reached } = appWith(express, { extractOtp });
    await logIn(app, { otp: OTP }).expect(418);
    expect((reached[0] as { error: unknown }).error).toBe(error);
  });

  it('lets nobody through if it throws undefined', async () => {
    const extractOtp = () => {
      throw undefined;
    };
    const { app, reached } = appWith(express, { extractOtp });
    await logIn(app, { otp: OTP }).expect(500);
    expect(reached).toEqual([{ error: expect.any(Error) }]);
  });
});

describe.each(EXPRESSES)('a password with the OTP behind it, on $version', ({ express }) => {
  it('has its OTP verified', async () => {
    const { app, asked } = appWith(express, { extractOtp: appendedOtp() });
    await logIn(app, { password: `hunter2${OTP}` }).expect(200);
    expect(asked()).toEqual([OTP]);
  });

  it('may be in a nested field, with a public ID of another length', async () => {
    const extractOtp = appendedOtp('user[secret]', { publicIdLength: 0 });
    const { app, asked } = appWith(express, { extractOtp });
    const otp = new SoftYubikey({ publicId: '' }).press();
    await logIn(app, { user: { secret: `hunter2${otp}` } }).expect(200);
    expect(asked()).toEqual([otp]);
  });

  it.each([
    ['alone', 'hunter2'],
    ['alone, as long as an OTP', 'correct horse battery staple '.repeat(2)],
    ['in a list', [`hunter2${OTP}`]],
    ['in an object', { length: 99 }],
    ['with 1 MB', '0'.repeat(2 ** 20)],
    ['if it is missing', undefined],
    ['if it is empty', ''],
  ])('is refused with 400 %s', async (_how, password) => {
    const parsers = [express.json({ limit: '2mb' })];
    const { app, asked } = appWith(express, { extractOtp: appendedOtp() }, parsers);
    await logIn(app, { password }).expect(400);
    expect(asked()).toEqual([]);
  });
});
