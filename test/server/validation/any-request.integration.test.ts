import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import type { ProtocolVersion } from '../../../src/protocol/paths.js';
import {
  parseResponseParameters,
  readValidationResponse,
} from '../../../src/protocol/validation-response.js';
import { anyText, otpText } from '../../support/arbitraries.js';
import {
  CLIENT,
  DISABLED_CLIENT,
  OTHER_CLIENT,
  type Reply,
  resolvingVerifier,
  Service,
  signed,
  UNKNOWN_CLIENT,
  VERSIONS,
} from '../../support/server/validation/service.js';
import { sign } from '../../support/verifiers/cloud/fake-server.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.close());
afterEach(() => service.useKsm());

const CLIENTS = [CLIENT, OTHER_CLIENT, DISABLED_CLIENT, UNKNOWN_CLIENT];
/** All HTTP errors that a request can be answered with. */
const HTTP_ERRORS = [
  'The body must be application/x-www-form-urlencoded: set Content-Type accordingly\n',
  'The body is not UTF-8\n',
  'The body is longer than 16384 bytes\n',
];
const ORDER = /^h,t,(otp,)?(nonce,)?(sl,)?(timestamp,sessioncounter,sessionuse,)?(info,)?status$/;

const injection = fc.constantFrom(
  '\r\nstatus=OK',
  '\nstatus=OK',
  '&status=OK',
  '\0',
  '%0d%0astatus=OK',
  'OK',
  '\u2028status=OK',
);
const usualOrAny = (...right: string[]) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...right) },
    anyText,
    fc.tuple(fc.constantFrom(...right), injection).map((parts) => parts.join('')),
  );
const fields = fc.record(
  {
    id: usualOrAny(...CLIENTS.map(({ id }) => id)),
    otp: fc.oneof(
      otpText,
      otpText.map((otp) => ` ${otp.toUpperCase()} `),
      usualOrAny('c'.repeat(44)),
    ),
    nonce: usualOrAny('jrFwbaYFhn0HoxZIsd9LQ6w2ceU', 'a'.repeat(16), 'Z'.repeat(40)),
    sl: usualOrAny('', '0', '100', 'fast', 'secure'),
    timeout: usualOrAny('', '5'),
    timestamp: usualOrAny('1', '0'),
    h: usualOrAny('', ' ', '=', 'vjhFxZrNHB5CjI6vhuSeF2n46a8='),
    status: usualOrAny('OK'),
  },
  { requiredKeys: [] },
);
const request = fc.record({
  version: fc.constantFrom(...VERSIONS),
  fields,
  more: fc.array(fc.tuple(fc.oneof(anyText, fc.constantFrom('otp', 'status', 'h', 'otp[]')), anyText), {
    maxLength: 2,
  }),
  signer: fc.option(fc.constantFrom(...CLIENTS), { nil: undefined, freq: 2 }),
  form: fc.boolean(),
  accepted: fc.boolean(),
});

function assertAnswer(reply: Reply, sent: URLSearchParams, version: ProtocolVersion): void {
  expect(Object.keys(reply.headers).sort().join()).toMatch(
    /^cache-control,connection,content-length,content-type,date(,keep-alive)?$/,
  );
  if (reply.status !== 200) {
    expect(HTTP_ERRORS).toContain(reply.text);
    return;
  }
  const parameters = parseResponseParameters(reply.text);
  const { h, ...rest } = Object.fromEntries(parameters);
  expect([...parameters.keys()].join()).toMatch(ORDER);
  expect(reply.text.match(/^status=/gm)).toHaveLength(1);
  const { status, otp, nonce, info } = readValidationResponse(parameters);
  const signer = CLIENTS.find(({ id, apiKey }) => id !== UNKNOWN_CLIENT.id && h === sign(rest, apiKey));
  if (signer === undefined) expect(h).toBe(sign(rest, ''));
  else expect(sent.get('id')).toBe(signer.id);
  if (status === 'OK') expect(signer).toBeDefined();

  if (version !== '2.0') expect([otp, nonce]).toEqual([undefined, undefined]);
  if (otp !== undefined) expect(otp).toBe(parseOtp(sent.get('otp') as string).value);
  if (nonce !== undefined) {
    expect(nonce).toBe(sent.get('nonce'));
    expect(nonce).toMatch(/^[A-Za-z0-9]{16,40}$/);
  }
  if (info !== undefined) expect(info).toMatch(/^[\w.-]{1,64}$/);
}

it('whatever the request, the answer is well-formed, has one status, and echoes nothing unchecked', async () => {
  await fc.assert(
    fc.asyncProperty(request, async ({ version, fields, more, signer, form, accepted }) => {
      if (accepted) {
        service.verifier = resolvingVerifier({
          ok: true,
          identity: {
            publicId: '',
            counters: { usageCounter: 0x7fff, sessionUse: 0xff, timestamp: 0xff_ffff },
          },
        });
      } else {
        service.useKsm();
      }
      const given = Object.fromEntries(
        Object.entries(fields).filter(([, value]) => value !== undefined),
      ) as Record<string, string>;
      const sent = new URLSearchParams(signer ? signed(given, signer) : given);
      for (const [name, value] of more) sent.append(name, value);
      const reply = await (form ? service.post(`${sent}`, '', version) : service.get(`${sent}`, version));
      assertAnswer(reply, sent, version);
    }),
    { numRuns: 800 },
  );
});

it('even if the body or the query is not a form', async () => {
  const text = fc.oneof(
    anyText.map((it) => Buffer.from(it)),
    fc.uint8Array({ maxLength: 500 }).map((it) => Buffer.from(it)),
  );
  await fc.assert(
    fc.asyncProperty(text, fc.constantFrom(...VERSIONS), async (body, version) => {
      assertAnswer(await service.post(body, '', version), new URLSearchParams(body.toString()), version);
      const query = body.toString('latin1').replace(/[^!-~]|#/g, '');
      assertAnswer(await service.get(query, version), new URLSearchParams(query), version);
    }),
    { numRuns: 300 },
  );
});
