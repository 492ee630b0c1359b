import type { RequestHandler } from 'express';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { appendedOtp, YubikeyStrategy, type YubikeyStrategyOptions } from '../../src/index.js';
import {
  ALICE,
  anOtp,
  credulousVerifier,
  EXPRESSES,
  type Express,
  signInApp,
} from '../support/passport/app.js';

const OTP = anOtp();
const MULTIPART = `--x\r\nContent-Disposition: form-data; name="otp"\r\n\r\n${OTP}\r\n--x--\r\n`;

type Options = Omit<YubikeyStrategyOptions, 'verifier' | 'passReqToCallback'>;
type Makes = (express: Express) => RequestHandler[];

const FORMS: Makes = (express) => [express.urlencoded({ extended: false })];
const JSON_ALONE: Makes = (express) => [express.json()];
const NONE: Makes = () => [];

/** A body parser that leaves no mark on the request that it has read the body. */
const otherParser: RequestHandler = (req, _res, next) => {
  req.body = {};
  req.resume().on('end', () => next());
};

describe.each(EXPRESSES)('a body that nobody has read, on $version,', ({ express }) => {
  function appWith(makeParsers: Makes, options: Options = {}) {
    const verifier = credulousVerifier();
    const strategy = new YubikeyStrategy({ ...options, verifier }, () => ALICE);
    const { app, reached } = signInApp(express, strategy, { parsers: makeParsers(express) });
    return { post: (url = '/login') => request(app).post(url), reached, asked: verifier.asked };
  }

  const bodyNotParsed = (words: string) => [
    { error: expect.objectContaining({ code: 'BODY_NOT_PARSED', message: expect.stringContaining(words) }) },
  ];

  it.each([
    ['form', `otp=${OTP}`],
    ['form', 'otp='],
    ['json', JSON.stringify({ otp: OTP })],
    ['multipart/form-data; boundary=x', MULTIPART],
    ['text/plain', OTP],
  ])('is an error that names the missing middleware: %s', async (type, body) => {
    const { post, reached, asked } = appWith(NONE);
    await post().type(type).send(body).expect(500);
    expect(reached).toEqual(bodyNotParsed('app.use(express.urlencoded({ extended: false })) for forms'));
    expect(reached).toEqual(bodyNotParsed('app.use(express.json()) for JSON'));
    expect(JSON.stringify(reached)).not.toContain(OTP);
    expect(asked).toEqual([]);
  });

  it('is an error for a nested field, and for an OTP appended to a password', async () => {
    for (const options of [{ otpField: 'user[otp]' }, { extractOtp: appendedOtp() }]) {
      const { post, reached } = appWith(NONE, options);
      await post().type('form').send(`user[otp]=${OTP}&password=hunter2${OTP}`).expect(500);
      expect(reached).toEqual(bodyNotParsed('express.urlencoded'));
    }
  });

  it('is an error if the parser comes after the route', async () => {
    const verifier = credulousVerifier();
    const { app, reached } = signInApp(express, new YubikeyStrategy({ verifier }, () => ALICE), {
      parsers: [],
    });
    app.use(express.urlencoded({ extended: false }));
    await request(app).post('/login').type('form').send({ otp: OTP }).expect(500);
    expect(reached).toEqual(bodyNotParsed('before the route'));
  });

  it('is an error if it is sent in chunks without a length', async () => {
    const { post, reached } = appWith(NONE);
    const sent = post().type('form').set('Transfer-Encoding', 'chunked');
    sent.write(`otp=${OTP}`);
    await sent.expect(500);
    expect(reached).toEqual(bodyNotParsed('express.urlencoded'));
  });

  it.each(['multipart/form-data; boundary=x', 'text/plain', 'Text/Plain; charset=utf-8'])(
    'of a type that the form parser ignores is an error with 415: %s',
    async (type) => {
      const { post, reached, asked } = appWith(FORMS);
      await post().type(type).send(MULTIPART).expect(415);
      const message = expect.stringContaining(type.split(';')[0]?.toLowerCase() ?? '');
      expect(reached).toEqual([
        { error: expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE', message }) },
      ]);
      expect(asked).toEqual([]);
    },
  );

  it.each([
    ['json', FORMS, 'app.use(express.json()) for JSON'],
    ['form', JSON_ALONE, 'app.use(express.urlencoded({ extended: false })) for forms'],
  ])('of the type %s is refused if only the other parser is there', async (type, parsers, words) => {
    const { post, reached } = appWith(parsers);
    await post().type(type).send({ otp: OTP }).expect(415);
    const message = expect.stringContaining(words);
    expect(reached).toEqual([
      { error: expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE', message }) },
    ]);
  });

  it.each([
    ['json', '{}', JSON_ALONE],
    ['json', ' { } ', JSON_ALONE],
    ['application/vnd.api+json', '{ }', (express) => [express.json({ type: '*/*' })]],
    ['form', '&&&&', FORMS],
    ['json', '{}', () => [otherParser]],
    ['multipart/form-data; boundary=x', '--x--\r\n', () => [otherParser]],
  ] satisfies [string, string, Makes][])(
    'is refused with 400 if it was read and is empty: %s %s',
    async (type, body, parsers) => {
      const { post, reached } = appWith(parsers);
      await post().type(type).send(body).expect(400);
      expect(reached).toEqual([]);
    },
  );

  it('has an error that repeats only the media type of a Content-Type', async () => {
    const { post, reached } = appWith(FORMS);
    await post().set('Content-Type', `<script>/${OTP}`).send('x').expect(415);
    expect((reached[0] as { error: Error }).error.message).not.toMatch(/script|cccc/);
  });

  it.each([
    ['no parser', NONE],
    ['a parser', FORMS],
  ])('is not an error if the request has no body: 400, with %s', async (_which, parsers) => {
    for (const options of [{}, { extractOtp: appendedOtp() }, { allowOtpInQuery: true }]) {
      const { post, reached } = appWith(parsers, options);
      await post().expect(400);
      await post().set('Content-Length', '0').type('form').expect(400);
      expect(reached).toEqual([]);
    }
  });

  it('is not an error if the OTP is in the query', async () => {
    const { post, asked } = appWith(NONE, { allowOtpInQuery: true });
    await post(`/login?otp=${OTP}`).type('form').send('a=b').expect(200);
    await post(`/login?otp=${OTP}`).expect(200);
    expect(asked).toHaveLength(2);
  });
});

it('a hand-made request without headers is an error too', () => {
  for (const req of [{}, { body: undefined }, { body: undefined, headers: {} }]) {
    const strategy = new YubikeyStrategy({ verifier: credulousVerifier() }, () => ALICE);
    const errors: unknown[] = [];
    Object.assign(strategy, { error: (error: unknown) => errors.push(error), fail() {}, success() {} });
    strategy.authenticate(req as never);
    expect(errors).toEqual([expect.objectContaining({ code: 'BODY_NOT_PARSED', status: 500 })]);
  }
});

it('a hand-made request is refused if its body has no OTP', () => {
  for (const req of [{ body: {} }, { body: { a: 1 } }, { body: {}, headers: {} }]) {
    const strategy = new YubikeyStrategy({ verifier: credulousVerifier() }, () => ALICE);
    const failures: unknown[] = [];
    Object.assign(strategy, { error() {}, fail: (info: unknown) => failures.push(info), success() {} });
    strategy.authenticate(req as never);
    expect(failures).toEqual([{ code: 'OTP_MISSING', message: 'Invalid OTP' }]);
  }
});
