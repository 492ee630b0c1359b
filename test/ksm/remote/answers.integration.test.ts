import { readFileSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:https';
import { inspect } from 'node:util';
import { MockAgent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import {
  closeAll,
  decryptAt,
  local,
  type Protocol,
  readSentOtp,
  remoteKsm,
  rest,
  startKsm,
  wsapi,
  yubikey,
} from '../../support/ksm/remote/fake-ksm.js';
import {
  type Behaviour,
  endless,
  httpStatus,
  startFakeServer,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import { catchError } from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

const PROTOCOLS: Protocol[] = ['rest', 'wsapi'];
const GOOD = { rest: rest(), wsapi: wsapi() };
const OK_LINE = 'OK counter=0001 low=8d40 high=0f use=00\n';
const OK_JSON = {
  status: 'OK',
  key_id: yubikey.publicId,
  counter: 1,
  timestamp_low: 1,
  timestamp_high: 1,
  session_use: 1,
  private_id_checked: true,
};
const json = (body: object) => text(JSON.stringify({ ...OK_JSON, ...body }));

const FORGERIES: [string, Protocol, string, Behaviour][] = [
  ['about another key', 'rest', 'ANSWER_MALFORMED', json({ key_id: new SoftYubikey().publicId })],
  [
    'about this key in capitals',
    'rest',
    'ANSWER_MALFORMED',
    json({ key_id: yubikey.publicId.toUpperCase() }),
  ],
  ['about no key', 'rest', 'ANSWER_MALFORMED', json({ key_id: undefined })],
  ['with a counter out of range', 'rest', 'ANSWER_MALFORMED', json({ counter: 0x1_0000 })],
  ['with an error in it', 'rest', 'ANSWER_MALFORMED', json({ status: 'ERROR', error_code: 'KEY_NOT_FOUND' })],
  ['OK with HTTP 404', 'rest', 'REFUSED_BY_FRONT', httpStatus(404, JSON.stringify(OK_JSON))],
  ['OK with HTTP 201', 'rest', 'ANSWER_MALFORMED', httpStatus(201, JSON.stringify(OK_JSON))],
  [
    'an error with the HTTP status of another',
    'rest',
    'ANSWER_MALFORMED',
    httpStatus(409, JSON.stringify({ status: 'ERROR', error_code: 'KEY_NOT_FOUND' })),
  ],
  ['over 8 KiB', 'rest', 'ANSWER_MALFORMED', json({ x: 'x'.repeat(8192) })],
  ['over 8 KiB, an error', 'rest', 'ANSWER_MALFORMED', httpStatus(404, 'x'.repeat(9000))],
  ['not UTF-8', 'rest', 'ANSWER_MALFORMED', text(Buffer.from([0xc3, 0x28]))],
  ['that never ends', 'rest', 'TIMED_OUT', endless],
  ['of two lines', 'wsapi', 'ANSWER_MALFORMED', text(`ERR Corrupt OTP\n${OK_LINE}`)],
  ['of two lines, OK first', 'wsapi', 'ANSWER_MALFORMED', text(`${OK_LINE}ERR Corrupt OTP\n`)],
  ['truncated', 'wsapi', 'ANSWER_MALFORMED', text(OK_LINE.slice(0, -2))],
  ['with HTTP 404', 'wsapi', 'REFUSED_BY_FRONT', httpStatus(404, OK_LINE)],
  ['with HTTP 201', 'wsapi', 'ANSWER_MALFORMED', httpStatus(201, OK_LINE)],
  ['with HTTP 500', 'wsapi', 'SERVER_FAILED', httpStatus(500, OK_LINE)],
  ['over 8 KiB', 'wsapi', 'ANSWER_MALFORMED', text(OK_LINE + '\n'.repeat(9000))],
  ['not UTF-8', 'wsapi', 'ANSWER_MALFORMED', text(Buffer.from([...Buffer.from('ERR '), 0xff]))],
  ['that never ends', 'wsapi', 'TIMED_OUT', endless],
];

describe('an invalid answer', () => {
  it.each(FORGERIES)('%s (%s) is %s', async (_, protocol, code, behaviour) => {
    const error = await catchError(decryptAt(protocol, [behaviour]));
    expect(error).toMatchObject({
      code: 'KSM_FAILED',
      status: 503,
      servers: [{ code, authenticated: false }],
    });
  });

  it('a redirect is not followed', async () => {
    for (const protocol of PROTOCOLS) {
      const target = await startKsm(GOOD[protocol]);
      for (const status of [301, 302, 303, 307, 308]) {
        const error = await catchError(
          decryptAt(protocol, [httpStatus(status, '', { location: `${target.url}wsapi/decrypt/` })]),
        );
        expect(error).toMatchObject({ code: 'KSM_FAILED', servers: [{ code: 'REDIRECTED' }] });
      }
      expect(target.connections).toBe(0);
    }
  });
});

describe('TLS', () => {
  const fixture = (name: string) =>
    readFileSync(new URL(`../../support/fixtures/tls/${name}`, import.meta.url), 'utf8');
  const ca = fixture('ca.pem');
  const startTls = (behaviour: Behaviour, name = 'server') => {
    const options = { key: fixture(`${name}.key.pem`), cert: fixture(`${name}.pem`) };
    const create = (listener: RequestListener) => createServer(options, listener) as unknown as Server;
    return startFakeServer(behaviour, { path: '/', create, scheme: 'https' });
  };

  it.each(PROTOCOLS)('accepts a CA of its own (%s)', async (protocol) => {
    const server = await startTls(GOOD[protocol]);
    const otp = parseOtp(yubikey.press());
    const ksm = remoteKsm(protocol, [server.url], { ca });
    expect(await ksm.decrypt(otp)).toEqual(await local.decrypt(otp));
  });

  it.each(PROTOCOLS)(
    'refuses an unknown authority and another host (%s), and sends them no OTP',
    async (protocol) => {
      const servers = [await startTls(GOOD[protocol]), await startTls(GOOD[protocol], 'other-host')];
      const asked = [
        remoteKsm(protocol, [servers[0]?.url as string]),
        remoteKsm(protocol, [servers[1]?.url as string], { ca }),
      ];
      for (const ksm of asked) {
        const error = await catchError(ksm.decrypt(parseOtp(yubikey.press())));
        expect(error).toMatchObject({ code: 'KSM_FAILED', servers: [{ code: 'TLS_FAILED' }] });
      }
      expect(servers.map(({ requests }) => requests.length)).toEqual([0, 0]);
    },
  );

  it('authenticates a fault that the KSM reports', async () => {
    const server = await startTls(text('ERR Database error\n'));
    const error = await catchError(
      remoteKsm('wsapi', [server.url], { ca }).decrypt(parseOtp(yubikey.press())),
    );
    expect(error.servers).toMatchObject([{ code: 'BACKEND_ERROR', authenticated: true }]);
  });
});

describe('no error contains the OTP', () => {
  const repeating: Record<Protocol, Behaviour> = {
    wsapi: (query, res) => void res.end(`ERR bad ${query.get('otp')}\n`),
    rest: async (_query, res, req) => {
      const otp = await readSentOtp(req);
      res.end(JSON.stringify({ ...OK_JSON, key_id: otp, status: otp, message: otp }));
    },
  };

  it.each(PROTOCOLS)('that repeats the text of a server (%s)', async (protocol) => {
    const otp = parseOtp(yubikey.press());
    const error = await catchError(decryptAt(protocol, [repeating[protocol]], {}, otp));
    expect(inspect(error, { depth: 9 })).not.toContain(otp.token);
  });

  it.each(PROTOCOLS)('that repeats the text of a dispatcher (%s)', async (protocol) => {
    const dispatcher = new MockAgent();
    dispatcher.disableNetConnect();
    const otp = parseOtp(yubikey.press());
    const ksm = remoteKsm(protocol, ['https://ksm.example/'], { dispatcher });
    expect(inspect(await catchError(ksm.decrypt(otp)), { depth: 9 })).not.toContain(otp.token);
    await dispatcher.close();
  });

  it.each(PROTOCOLS)('that reports a server that is down (%s)', async (protocol) => {
    const otp = parseOtp(yubikey.press());
    const error = await catchError(decryptAt(protocol, [httpStatus(500), endless], {}, otp));
    expect(inspect(error, { depth: 9 })).not.toContain(otp.token);
  });
});

it('accepts only an OTP from parseOtp', async () => {
  const ksm = remoteKsm('wsapi', ['http://127.0.0.1:1/']);
  const otp = parseOtp(yubikey.press());
  await expect(ksm.decrypt(otp.value as never)).rejects.toThrow(TypeError);
  const injected = { ...otp, value: `${otp.value}&x=`, token: `${otp.token}&x=` };
  await expect(ksm.decrypt(injected)).rejects.toThrow(TypeError);
});
