import { afterEach, describe, expect, it } from 'vitest';
import { CloudVerifier, parseOtp } from '../../../src/index.js';
import {
  API_KEY,
  answer,
  answerFields,
  answerText,
  type Behaviour,
  CLIENT_ID,
  delayed,
  sign,
  startFakeServer,
  text,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  catchError,
  closeAll,
  faultAt,
  keep,
  NO_RETRY,
  OK,
  verifyAt,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

const OTHER_KEY = 'b3RoZXIgYXBpIGtleSBvZiAyMA==';

/** An honest OK with changed fields, signed after the change. */
const signedOk =
  (change: Record<string, string | undefined>, apiKey?: string): Behaviour =>
  (query, res) => {
    const fields = Object.fromEntries(
      Object.entries({ ...answerFields(query, 'OK'), ...change }).filter(([, value]) => value !== undefined),
    ) as Record<string, string>;
    res.end(answerText(fields, apiKey));
  };

const unsignedOk =
  (signature: string): Behaviour =>
  (query, res) => {
    const lines = Object.entries(answerFields(query, 'OK')).map(([key, value]) => `${key}=${value}\r\n`);
    res.end(`${signature}${lines.join('')}\r\n`);
  };

/** An honest, signed answer with this status, whose text is changed afterwards. */
const rewritten =
  (status: string, rewrite: (text: string, query: URLSearchParams) => string): Behaviour =>
  (query, res) =>
    void res.end(rewrite(answerText(answerFields(query, status)), query));

const FORGERIES: [string, Behaviour, 'ANSWER_FORGED' | 'ANSWER_MALFORMED'][] = [
  ['signed with another key', signedOk({}, OTHER_KEY), 'ANSWER_FORGED'],
  ['signed with the empty key', signedOk({}, ''), 'ANSWER_FORGED'],
  ['with no h', unsignedOk(''), 'ANSWER_FORGED'],
  ['with an empty h', unsignedOk('h=\r\n'), 'ANSWER_FORGED'],
  ['with a blank h', unsignedOk('h= \r\n'), 'ANSWER_FORGED'],
  ['with a short h', unsignedOk('h=AAAA\r\n'), 'ANSWER_FORGED'],
  ['about another OTP', signedOk({ otp: yubikey.press() }), 'ANSWER_FORGED'],
  ['about an OTP in capitals', rewrittenOtp(), 'ANSWER_FORGED'],
  ['to another nonce', signedOk({ nonce: 'ffffffffffffffffffffffffffffffff' }), 'ANSWER_FORGED'],
  ['with no otp', signedOk({ otp: undefined }), 'ANSWER_FORGED'],
  ['with no nonce', signedOk({ nonce: undefined }), 'ANSWER_FORGED'],
  ['with neither otp nor nonce', signedOk({ otp: undefined, nonce: undefined }), 'ANSWER_FORGED'],
  [
    'whose BAD_OTP was changed to OK',
    rewritten('BAD_OTP', (t) => t.replace('BAD_OTP', 'OK')),
    'ANSWER_FORGED',
  ],
  [
    'with two statuses, the wrong one last',
    rewritten('BAD_OTP', (t) => `status=OK\r\n${t}`),
    'ANSWER_MALFORMED',
  ],
  [
    'with two statuses, the wrong one first',
    rewritten('BAD_OTP', (t) => `${t.trimEnd()}\r\nstatus=OK\r\n`),
    'ANSWER_MALFORMED',
  ],
  ['with two h', rewritten('OK', (t) => `h=AAAA\r\n${t}`), 'ANSWER_MALFORMED'],
  [
    'with status=OK inside another value',
    signedOk({ status: undefined, info: 'x&status=OK' }),
    'ANSWER_MALFORMED',
  ],
  ['with status=OK after another =', signedOk({ status: undefined, info: 'status=OK' }), 'ANSWER_MALFORMED'],
  [
    'with status=OK after a lone carriage return',
    signedOk({ status: undefined, info: 'x\rstatus=OK' }),
    'ANSWER_MALFORMED',
  ],
  ['with a status in lower case', signedOk({ status: 'ok' }), 'ANSWER_MALFORMED'],
  ['with an unknown status', signedOk({ status: 'OK_REALLY' }), 'ANSWER_MALFORMED'],
  ['with a blank after the status', signedOk({ status: 'OK ' }), 'ANSWER_MALFORMED'],
  ['with no status', signedOk({ status: undefined }), 'ANSWER_MALFORMED'],
  ['longer than 8 KiB', signedOk({ info: 'x'.repeat(9000) }), 'ANSWER_MALFORMED'],
  ['that never ends', endless, 'ANSWER_MALFORMED'],
  ['that is a web page', text('<!doctype html><title>status=OK</title>'), 'ANSWER_MALFORMED'],
  ['that is empty', text(''), 'ANSWER_MALFORMED'],
  ['that is not UTF-8', text(Buffer.from([0xff, 0xfe, 0x3d])), 'ANSWER_MALFORMED'],
];

function rewrittenOtp(): Behaviour {
  return (query, res) => {
    const fields = answerFields(query, 'OK');
    res.end(answerText({ ...fields, otp: (fields.otp as string).toUpperCase() }));
  };
}

function endless(_query: URLSearchParams, res: Parameters<Behaviour>[1]): void {
  const line = `${'x'.repeat(1000)}=1\r\n`;
  const write = () => {
    while (!res.destroyed && res.write(line));
  };
  res.on('drain', write);
  write();
}

describe('an OK that is not authentic', () => {
  it.each(FORGERIES)('%s, is not a verdict', async (_name, behaviour, code) => {
    const error = await faultAt([behaviour], NO_RETRY);
    expect(error).toMatchObject({ code, status: 503, servers: [{ code, authenticated: false }] });
  });

  it.each(FORGERIES)('%s, does not win over a slower honest server', async (_name, behaviour) => {
    expect(await verifyAt([behaviour, delayed(60, answer('REPLAYED_OTP'))], NO_RETRY)).toEqual({
      ok: false,
      reason: 'REPLAYED_OTP',
    });
    expect(await verifyAt([behaviour, delayed(60, answer('OK'))], NO_RETRY)).toEqual(OK);
  });
});

describe('a refusal that is not authentic', () => {
  it.each(['BAD_OTP', 'REPLAYED_OTP', 'REPLAYED_REQUEST', 'DELAYED_OTP'])(
    '%s is not a verdict',
    async (status) => {
      const forged: Behaviour = (query, res) =>
        void res.end(answerText(answerFields(query, status), OTHER_KEY));
      expect(await faultAt([forged], NO_RETRY)).toMatchObject({ code: 'ANSWER_FORGED' });
      expect(await verifyAt([forged, delayed(60, answer('OK'))], NO_RETRY)).toEqual(OK);
    },
  );

  it('an old signed REPLAYED_OTP for another request is not a verdict', async () => {
    const old: Behaviour = (query, res) =>
      void res.end(answerText({ ...answerFields(query, 'REPLAYED_OTP'), nonce: 'a'.repeat(32) }));
    expect(await faultAt([old], NO_RETRY)).toMatchObject({ code: 'ANSWER_FORGED' });
  });
});

describe('an error answer without a valid signature', () => {
  const FAULTS = [
    'NO_SUCH_CLIENT',
    'MISSING_PARAMETER',
    'BACKEND_ERROR',
    'BAD_SIGNATURE',
    'OPERATION_NOT_ALLOWED',
    'NOT_ENOUGH_ANSWERS',
  ];

  it.each(FAULTS)('signed with the empty key is reported as %s, marked unauthenticated', async (status) => {
    const unauthenticated: Behaviour = (_query, res) => {
      const fields = { t: '2026-11-21T23:21:39Z0649', status };
      res.end(answerText(fields, ''));
    };
    const error = await faultAt([unauthenticated], NO_RETRY);
    expect(error).toMatchObject({ code: status, servers: [{ code: status, authenticated: false }] });
    expect(error.message).toContain('not authenticated');
  });

  it('is authenticated if it is signed with the API key', async () => {
    const error = await faultAt([answer('NO_SUCH_CLIENT')], NO_RETRY);
    expect(error.servers).toMatchObject([{ code: 'NO_SUCH_CLIENT', authenticated: true }]);
    expect(error.message).not.toContain('not authenticated');
  });

  it('the signature helper of these tests agrees with the published vector', async () => {
    const { vectors } = (await import('../../vectors/signature.json', { with: { type: 'json' } })).default;
    for (const { params, secret, h } of vectors) {
      expect(sign(JSON.parse(JSON.stringify(params)), secret)).toBe(h);
    }
  });
});

describe('an API key', () => {
  it('is also used as an inherited option', async () => {
    class Config {
      clientId = CLIENT_ID;
      retries = 0;
      timeout = 2000;
      servers: string[];
      constructor(url: string) {
        this.servers = [url];
      }
      get apiKey() {
        return API_KEY;
      }
    }
    const forger = await startFakeServer(
      (query, res) =>
        void res.end(
          Object.entries({ h: 'AAAA', ...answerFields(query, 'OK') })
            .map(([k, v]) => `${k}=${v}\r\n`)
            .join(''),
        ),
    );
    const verifier = keep(new CloudVerifier(new Config(forger.url)));
    expect(await verifier.verify(parseOtp(yubikey.press())).catch((e) => e.code)).toBe('ANSWER_FORGED');
  });
  it('an old signed NOT_ENOUGH_ANSWERS for another request is not authentic', async () => {
    const e = await faultAt(
      [
        (q, res) =>
          void res.end(answerText({ ...answerFields(q, 'NOT_ENOUGH_ANSWERS'), nonce: 'f'.repeat(32) })),
      ],
      NO_RETRY,
    );
    expect(e.code).toBe('ANSWER_FORGED');
  });
  it('an error answer is not authenticated without an API key and TLS', async () => {
    const server = await startFakeServer((_q, res) => void res.end('status=NO_SUCH_CLIENT\n'));
    const v = keep(new CloudVerifier({ clientId: CLIENT_ID, servers: [server.url], ...NO_RETRY }));
    const e = await catchError(v.verify(parseOtp(yubikey.press())));
    expect(e.servers[0]?.authenticated).toBe(false);
  });
});
