import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { YubikeyStrategy } from '../../src/index.js';
import { ALICE, anOtp, credulousVerifier, EXPRESSES, signInApp } from '../support/passport/app.js';

const OTP = anOtp();

const JSON_BODIES: [string, unknown][] = [
  ['no field', {}],
  ['another field', { OTP }],
  ['null', { otp: null }],
  ['empty text', { otp: '' }],
  ['blank text', { otp: ' \t\r\n ' }],
  ['text that is not an OTP', { otp: 'correct horse battery staple' }],
  ['31 letters', { otp: OTP.slice(-31) }],
  ['49 letters', { otp: `ccccc${OTP}` }],
  ['an OTP in two pieces', { otp: `${OTP.slice(0, 12)} ${OTP.slice(12)}` }],
  ['an OTP and a NUL', { otp: `${OTP}\0` }],
  ['an OTP and half a surrogate pair', { otp: `${OTP}\ud83d` }],
  ['1 MB', { otp: 'c'.repeat(2 ** 20) }],
  ['1 MB of white space around an OTP', { otp: OTP.padEnd(2 ** 20) }],
  ['a list', { otp: [OTP] }],
  ['an empty list', { otp: [] }],
  ['an object', { otp: { value: OTP, length: 44 } }],
  ['an object that imitates text', { otp: { toString: OTP, trim: OTP, length: 44 } }],
  ['a number', { otp: 123456 }],
  ['zero', { otp: 0 }],
  ['true', { otp: true }],
  ['false', { otp: false }],
  ['a list as the body', [OTP]],
  ['an OTP as the body', OTP],
  ['null as the body', null],
];

const FORMS: [string, string][] = [
  ['no field', 'user=alice'],
  ['an empty field', 'otp='],
  ['a field without a value', 'otp'],
  ['a repeated field', `otp=${OTP}&otp=${OTP}`],
  ['a list', `otp[]=${OTP}`],
  ['an object', `otp[value]=${OTP}`],
  ['1 MB', `otp=${'c'.repeat(2 ** 20)}`],
];

describe.each(EXPRESSES)(
  'input that is not an OTP is refused with 400 without asking the verifier, on $version:',
  ({ express }) => {
    const verifier = credulousVerifier();
    const strategy = new YubikeyStrategy({ verifier }, () => ALICE);
    const limit = '2mb';

    async function refuses(contentType: string, body: string, extended = true) {
      const parsers = [express.json({ limit, strict: false }), express.urlencoded({ limit, extended })];
      const { app, reached } = signInApp(express, strategy, { parsers });
      await request(app).post('/login').type(contentType).send(body).expect(400, 'Bad Request');
      expect(reached).toEqual([]);
      expect(verifier.asked).toEqual([]);
    }

    it.each(JSON_BODIES)('JSON with %s', (_what, body) => refuses('json', JSON.stringify(body)));

    it.each(FORMS)('a form with %s', async (_what, body) => {
      await refuses('form', body);
      await refuses('form', body, false);
    });

    it('no body', async () => {
      const { app } = signInApp(express, strategy);
      await request(app).post('/login').expect(400, 'Bad Request');
    });

    it('a body of another type', async () => {
      const parsers = [express.text(), express.raw()];
      const { app } = signInApp(express, strategy, { parsers });
      await request(app).post('/login').type('text').send(OTP).expect(400, 'Bad Request');
      await request(app).post('/login').type('application/octet-stream').send(OTP).expect(400, 'Bad Request');
    });
  },
);
