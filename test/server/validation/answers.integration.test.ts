import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { YubikeyError } from '../../../src/index.js';
import type { ProtocolVersion } from '../../../src/protocol/paths.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { describeWith } from '../../support/programs.js';
import { type SignedAnswer, wronglySigned } from '../../support/server/validation/openssl.js';
import {
  CLIENT,
  DISABLED_CLIENT,
  type Fields,
  formatQuery,
  OTHER_CLIENT,
  type Reply,
  rejectingVerifier,
  resolvingVerifier,
  Service,
  signed,
  UNKNOWN_CLIENT,
  VERSIONS,
} from '../../support/server/validation/service.js';

const EMPTY_KEY = { apiKey: '' };
const TIME = /^t=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ0\d{3}$/;

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterEach(() => service.useKsm());
afterAll(() => service?.close());

/** All answers that were checked, for openssl. */
const answers: SignedAnswer[] = [];

/** Checks the form of an answer and keeps it for openssl; returns its lines without `h` and `t`. */
function readAnswerLines(
  { status, headers, text }: Reply,
  { apiKey }: { apiKey: string } = CLIENT,
): string[] {
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(headers['cache-control']).toBe('no-store');
  const lines = text.split('\r\n');
  expect(lines.splice(-2)).toEqual(['', '']);
  const [signature, time, ...rest] = lines;
  expect(signature).toMatch(/^h=[A-Za-z0-9+/]{27}=$/);
  expect(time).toMatch(TIME);
  expect(rest.at(-1)).toMatch(/^status=/);
  answers.push({ text, apiKey });
  return rest;
}

const wrongApiKey = (fields: Fields) => signed(fields, OTHER_CLIENT);

describe('protocol 2.0 answers', () => {
  it('OK with otp, nonce and sl', async () => {
    const fields = service.fields();
    expect(readAnswerLines(await service.get(fields))).toEqual([
      `otp=${fields.otp}`,
      `nonce=${fields.nonce}`,
      'sl=100',
      'status=OK',
    ]);
  });

  it('OK with timestamp, sessioncounter and sessionuse too, for timestamp=1 only', async () => {
    const fields = service.fields({ timestamp: '1' });
    const { timestamp, usageCounter, sessionUse } = service.yubikey.counters;
    expect(readAnswerLines(await service.get(fields))).toEqual([
      `otp=${fields.otp}`,
      `nonce=${fields.nonce}`,
      'sl=100',
      `timestamp=${timestamp}`,
      `sessioncounter=${usageCounter}`,
      `sessionuse=${sessionUse}`,
      'status=OK',
    ]);
    for (const other of ['0', '', 'true', '11', '1.0']) {
      expect(readAnswerLines(await service.get(service.fields({ timestamp: other })))).toHaveLength(4);
    }
  });

  it('OK without them if the verifier returns no counters', async () => {
    service.verifier = resolvingVerifier({ ok: true, identity: { publicId: service.yubikey.publicId } });
    expect(readAnswerLines(await service.get(service.fields({ timestamp: '1' })))).toHaveLength(4);
  });

  it.each(['0', '1', '100', 'fast', 'secure', ''])(
    'OK with sl=100 for sl=%s: all servers share one store',
    async (sl) => {
      expect(readAnswerLines(await service.get(service.fields({ sl })))).toContain('sl=100');
    },
  );

  it('OK for any timeout in seconds', async () => {
    for (const timeout of ['', '0', '8', '9999']) {
      expect(readAnswerLines(await service.get(service.fields({ timeout })))).toContain('status=OK');
    }
  });

  it('OK to a signed request, signed with the API key of the same client', async () => {
    const fields = service.fields({ timestamp: '1', sl: 'secure', timeout: '5', unknown: 'ü & = +' });
    expect(readAnswerLines(await service.get(signed(fields)))).toContain('status=OK');
    const others = service.fields({ id: OTHER_CLIENT.id });
    const answer = await service.get(signed(others, OTHER_CLIENT));
    expect(readAnswerLines(answer, OTHER_CLIENT)).toContain('status=OK');
  });

  it('REPLAYED_OTP with otp and nonce, to the same OTP and to an older one', async () => {
    const older = service.yubikey.press();
    const first = service.fields({ timestamp: '1' });
    expect(readAnswerLines(await service.get(first))).toContain('status=OK');
    for (const otp of [first.otp as string, older]) {
      const again = service.fields({ otp, timestamp: '1', sl: '50' });
      expect(readAnswerLines(await service.get(again))).toEqual([
        `otp=${otp}`,
        `nonce=${again.nonce}`,
        'status=REPLAYED_OTP',
      ]);
    }
  });

  it('REPLAYED_REQUEST with otp and nonce, to the same OTP with the same nonce', async () => {
    const fields = service.fields();
    expect(readAnswerLines(await service.get(fields))).toContain('status=OK');
    expect(readAnswerLines(await service.get(fields))).toEqual([
      `otp=${fields.otp}`,
      `nonce=${fields.nonce}`,
      'status=REPLAYED_REQUEST',
    ]);
  });

  it('DELAYED_OTP with otp and nonce', async () => {
    service.verifier = resolvingVerifier({ ok: false, reason: 'DELAYED_OTP' });
    const fields = service.fields();
    expect(readAnswerLines(await service.get(fields))).toEqual([
      `otp=${fields.otp}`,
      `nonce=${fields.nonce}`,
      'status=DELAYED_OTP',
    ]);
  });

  it('NOT_ENOUGH_ANSWERS with otp and nonce, since the OTP is used up', async () => {
    service.verifier = rejectingVerifier(new YubikeyError('NOT_ENOUGH_ANSWERS', 'two of five'));
    const fields = service.fields();
    expect(readAnswerLines(await service.get(fields))).toEqual([
      `otp=${fields.otp}`,
      `nonce=${fields.nonce}`,
      'status=NOT_ENOUGH_ANSWERS',
    ]);
  });

  it('only BAD_OTP to an OTP of an unknown, forged or disabled YubiKey', async () => {
    const disabled = new SoftYubikey();
    await service.store.keys.add({ ...toNewKey(disabled), active: false });
    const forger = new SoftYubikey({ publicId: service.yubikey.publicId });
    for (const yubikey of [new SoftYubikey(), forger, disabled]) {
      const answer = await service.get(service.fields({ otp: yubikey.press(), timestamp: '1' }));
      expect(readAnswerLines(answer)).toEqual(['status=BAD_OTP']);
    }
  });

  it('only BAD_OTP to something that is not an OTP', async () => {
    for (const otp of [' ', 'hunter2', 'c'.repeat(31), 'c'.repeat(49), 'a'.repeat(44), 'c'.repeat(10_000)]) {
      expect(readAnswerLines(await service.get(service.fields({ otp })))).toEqual(['status=BAD_OTP']);
    }
  });

  it('only BAD_SIGNATURE, and the OTP is not used up', async () => {
    const fields = service.fields();
    const right = signed(fields);
    const { h } = right as { h: string };
    const wrong = [
      wrongApiKey(fields),
      { ...right, timestamp: '1' },
      { ...right, nonce: `${fields.nonce}0` },
      { ...right, unknown: '' },
      { ...right, h: h.slice(0, -1) },
      { ...right, h: h.toLowerCase() },
      { ...right, h: `${h} ` },
      { ...right, h: Buffer.from(h, 'base64').toString('hex') },
      { ...right, h: '=' },
      { ...right, h: 'x'.repeat(5000) },
    ];
    for (const request of wrong) {
      expect(readAnswerLines(await service.get(request))).toEqual(['status=BAD_SIGNATURE']);
    }
    expect(readAnswerLines(await service.get(right))).toContain('status=OK');
  });

  it('BAD_SIGNATURE to a signature with an unencoded +, which is a space in a query', async () => {
    let fields = service.fields();
    while (!signed(fields).h?.includes('+')) fields = service.fields();
    const query = `${formatQuery(fields)}&h=${signed(fields).h}`;
    expect(readAnswerLines(await service.get(query))).toEqual(['status=BAD_SIGNATURE']);
    expect(readAnswerLines(await service.get(query.replaceAll('+', '%2B')))).toContain('status=OK');
  });

  it('OK to an empty or blank h, as to an unsigned request', async () => {
    for (const h of ['', ' ', '  ']) {
      expect(readAnswerLines(await service.get(service.fields({ h })))).toContain('status=OK');
    }
  });

  it('only MISSING_PARAMETER to a missing or invalid parameter', async () => {
    const wrong: Fields[] = [
      { nonce: '' },
      { nonce: 'short' },
      { nonce: 'a'.repeat(41) },
      { nonce: `${'a'.repeat(16)}-` },
      { otp: '' },
      { sl: '101' },
      { sl: '-1' },
      { sl: 'slow' },
      { timeout: 'never' },
      { timeout: '-1' },
    ];
    for (const change of wrong) {
      expect(readAnswerLines(await service.get(service.fields(change)))).toEqual([
        'status=MISSING_PARAMETER',
      ]);
    }
  });

  it('MISSING_PARAMETER signed with the empty key if the client cannot be identified', async () => {
    for (const id of ['', 'x', '-1', '1'.repeat(21), "87'"]) {
      const answer = await service.get(service.fields({ id }));
      expect(readAnswerLines(answer, EMPTY_KEY)).toEqual(['status=MISSING_PARAMETER']);
    }
    expect(readAnswerLines(await service.get(''), EMPTY_KEY)).toEqual(['status=MISSING_PARAMETER']);
    for (const twice of ['id=87', 'otp=x', 'nonce=x', 'h=x', 'sl=1', 'unknown=1&unknown=1']) {
      const answer = await service.get(`${formatQuery(service.fields({ h: '', sl: '' }))}&${twice}`);
      expect(readAnswerLines(answer, EMPTY_KEY)).toEqual(['status=MISSING_PARAMETER']);
    }
  });

  it('only NO_SUCH_CLIENT, signed with the empty key, to an unknown client', async () => {
    const fields = service.fields({ id: UNKNOWN_CLIENT.id });
    for (const request of [fields, signed(fields, UNKNOWN_CLIENT)]) {
      expect(readAnswerLines(await service.get(request), EMPTY_KEY)).toEqual(['status=NO_SUCH_CLIENT']);
    }
  });

  it('NO_SUCH_CLIENT to a disabled client, signed with its own key', async () => {
    const fields = service.fields({ id: DISABLED_CLIENT.id });
    for (const request of [fields, signed(fields, DISABLED_CLIENT), wrongApiKey(fields)]) {
      expect(readAnswerLines(await service.get(request), DISABLED_CLIENT)).toEqual(['status=NO_SUCH_CLIENT']);
    }
    expect(readAnswerLines(await service.get({ ...fields, id: CLIENT.id }))).toContain('status=OK');
  });

  it.each(['OPERATION_NOT_ALLOWED', 'BACKEND_ERROR'] as const)('only %s', async (code) => {
    service.verifier = rejectingVerifier(new YubikeyError(code, 'as it is'));
    expect(readAnswerLines(await service.get(service.fields()))).toEqual([`status=${code}`]);
  });

  it('the normalised OTP to one in upper case, of another keyboard layout, or between spaces', async () => {
    const { yubikey } = service;
    for (const layout of [undefined, 'us(dvorak)', 'ru']) {
      const state = { ...yubikey.toJSON(), ...(layout && { layout }), publicId: new SoftYubikey().publicId };
      const typing = SoftYubikey.fromJSON(state);
      await service.store.keys.add(typing);
      const plain = SoftYubikey.fromJSON(typing.toJSON());
      const spellings: ((otp: string) => string)[] = [
        (otp) => otp,
        (otp) => otp.toUpperCase(),
        (otp) => `  ${otp} `,
      ];
      for (const spell of spellings) {
        const typed = spell(typing.press());
        const answer = await service.get(service.fields({ otp: typed }));
        const [otp] = readAnswerLines(answer);
        expect(answer.text).toContain('status=OK');
        expect(otp).toMatch(new RegExp(`^otp=${plain.publicId}[cbdefghijklnrtuv]{32}$`));
      }
    }
    const typed = yubikey.press();
    const answer = await service.get(service.fields({ otp: ` ${typed.toUpperCase()} ` }));
    expect(readAnswerLines(answer)).toContain(`otp=${typed}`);
  });

  it("the lines of the guide's example in the same order: h, t, otp, nonce, sl, status", async () => {
    const otp = 'cccccccbcjdifctrndncchkftchjlnbhvhtugdljibej';
    const nonce = 'aef3a7835277a28da831005c2ae3b919e2076a62';
    service.verifier = resolvingVerifier({ ok: true, identity: { publicId: 'cccccccbcjdi' } });
    const answer = await service.get(`id=${CLIENT.id}&otp=${otp}&nonce=${nonce}`);
    expect(readAnswerLines(answer)).toEqual([`otp=${otp}`, `nonce=${nonce}`, 'sl=100', 'status=OK']);
  });
});

describe.each(['1.0', '1.1'] as const)('protocol %s answers', (version) => {
  const get = (fields: Fields) => service.get(fields, version);
  const fields = (changes: Fields = {}) => service.fields(changes, version);

  it('only OK, whatever parameters of 2.0 are sent', async () => {
    expect(readAnswerLines(await get(fields()))).toEqual(['status=OK']);
    expect(readAnswerLines(await get(signed(fields())))).toEqual(['status=OK']);
    const later = fields({ nonce: 'a'.repeat(20), sl: '100', timeout: '5' });
    expect(readAnswerLines(await get(later))).toEqual(['status=OK']);
    expect(readAnswerLines(await get(fields({ nonce: '-', sl: '-', timeout: '-' })))).toEqual(['status=OK']);
  });

  it(`${version === '1.0' ? 'no counters' : 'counters'} for timestamp=1`, async () => {
    const request = fields({ timestamp: '1' });
    const { timestamp, usageCounter, sessionUse } = service.yubikey.counters;
    const lines = [`timestamp=${timestamp}`, `sessioncounter=${usageCounter}`, `sessionuse=${sessionUse}`];
    expect(readAnswerLines(await get(request))).toEqual([...(version === '1.0' ? [] : lines), 'status=OK']);
  });

  it('REPLAYED_OTP to a replay, even with the nonce of the first request', async () => {
    const request = fields({ nonce: 'a'.repeat(20) });
    expect(readAnswerLines(await get(request))).toEqual(['status=OK']);
    expect(readAnswerLines(await get(request))).toEqual(['status=REPLAYED_OTP']);
  });

  it.each([
    ['REPLAYED_REQUEST', 'REPLAYED_OTP'],
    ['DELAYED_OTP', 'BAD_OTP'],
    ['BAD_OTP', 'BAD_OTP'],
  ] as const)('to the verdict %s: %s', async (reason, status) => {
    service.verifier = resolvingVerifier({ ok: false, reason });
    expect(readAnswerLines(await get(fields()))).toEqual([`status=${status}`]);
  });

  it.each([
    ['NOT_ENOUGH_ANSWERS', 'BACKEND_ERROR'],
    ['OPERATION_NOT_ALLOWED', 'OPERATION_NOT_ALLOWED'],
    ['BACKEND_ERROR', 'BACKEND_ERROR'],
  ] as const)('to the fault %s: %s', async (code, status) => {
    service.verifier = rejectingVerifier(new YubikeyError(code, 'as it is'));
    expect(readAnswerLines(await get(fields()))).toEqual([`status=${status}`]);
  });

  it('BAD_OTP to something that is not an OTP, BAD_SIGNATURE, and NO_SUCH_CLIENT', async () => {
    expect(readAnswerLines(await get(fields({ otp: 'hunter2' })))).toEqual(['status=BAD_OTP']);
    expect(readAnswerLines(await get(wrongApiKey(fields())))).toEqual(['status=BAD_SIGNATURE']);
    const unknown = await get(fields({ id: UNKNOWN_CLIENT.id }));
    expect(readAnswerLines(unknown, EMPTY_KEY)).toEqual(['status=NO_SUCH_CLIENT']);
  });

  it('MISSING_PARAMETER with the name of the parameter as info', async () => {
    expect(readAnswerLines(await get(fields({ otp: '' })))).toEqual(['info=otp', 'status=MISSING_PARAMETER']);
    const nameless = await get(fields({ id: '' }));
    expect(readAnswerLines(nameless, EMPTY_KEY)).toEqual(['info=id', 'status=MISSING_PARAMETER']);
    const twice = await service.get(
      `${formatQuery(fields())}&${formatQuery({ 'a\r\nstatus': 'x' })}`,
      version,
    );
    expect(readAnswerLines(twice, EMPTY_KEY)).toEqual(['info=query', 'status=MISSING_PARAMETER']);
  });

  it("the specification's example: otp before id", async () => {
    service.verifier = resolvingVerifier({ ok: true, identity: { publicId: 'vvvvvvcu' } });
    const example = `otp=vvvvvvcucrlcietctckflvnncdgckubflugerlnr&id=${CLIENT.id}`;
    expect(readAnswerLines(await service.get(example, version))).toEqual(['status=OK']);
  });
});

describe('the order of checks', () => {
  const FAULTS: {
    name: string;
    change: (fields: Fields) => Fields;
    status: string;
    since?: '2.0' | undefined;
  }[] = [
    { name: 'nonce is missing', change: without('nonce'), status: 'MISSING_PARAMETER', since: '2.0' },
    { name: 'sl is invalid', change: set('sl', 'x'), status: 'MISSING_PARAMETER', since: '2.0' },
    { name: 'timeout is invalid', change: set('timeout', 'x'), status: 'MISSING_PARAMETER', since: '2.0' },
    { name: 'otp is invalid', change: set('otp', 'hunter2'), status: 'BAD_OTP' },
    { name: 'id is invalid', change: set('id', 'x'), status: 'MISSING_PARAMETER' },
    { name: 'nonce is invalid', change: set('nonce', 'x'), status: 'MISSING_PARAMETER', since: '2.0' },
    { name: 'the client is unknown', change: set('id', UNKNOWN_CLIENT.id), status: 'NO_SUCH_CLIENT' },
    { name: 'the signature is wrong', change: set('h', 'x'), status: 'BAD_SIGNATURE' },
    { name: 'the key is unknown', change: (it) => ({ ...it, otp: STRANGER }), status: 'BAD_OTP' },
    { name: 'the OTP is used', change: (it) => it, status: 'REPLAYED_OTP' },
  ];
  const STRANGER = new SoftYubikey().press();

  function without(key: string) {
    return ({ [key]: _, ...rest }: Fields) => rest;
  }
  function set(key: string, value: string) {
    return (fields: Fields) => ({ ...fields, [key]: value });
  }

  const cases = VERSIONS.flatMap((version) => {
    const faults = FAULTS.filter(({ since }) => since === undefined || since === version);
    return faults.flatMap((first, at) =>
      faults
        .slice(at + 1)
        .map((second) => ({ version, first, second, name: `${first.name}, ${second.name}` })),
    );
  });

  it.each(cases)('$version: $name', async ({ version, first, second }) => {
    const used = service.fields({}, version as ProtocolVersion);
    expect((await service.get(used, version)).text).toContain('status=OK');
    const fields = { ...used, ...(version === '2.0' ? { nonce: 'another0nonce0of0this0test' } : {}) };
    const { text } = await service.get(first.change(second.change(fields)), version);
    expect(text).toContain(`status=${first.status}\r\n`);
  });
});

describe('by POST', () => {
  it.each(VERSIONS)('protocol %s accepts a form like a query', async (version) => {
    const fields = service.fields({}, version);
    expect(readAnswerLines(await service.post(signed(fields), '', version)).at(-1)).toBe('status=OK');
    expect(readAnswerLines(await service.get(fields, version)).at(-1)).toMatch(/^status=REPLAYED_/);
  });

  it('a form and a query are signed together, as one request', async () => {
    const { h, id, ...rest } = signed(service.fields()) as Record<'h' | 'id', string>;
    expect(readAnswerLines(await service.post(rest, `?${formatQuery({ id, h })}`))).toContain('status=OK');
  });

  it('a parameter in both form and query is refused', async () => {
    const fields = service.fields();
    for (const key of Object.keys(fields)) {
      const answer = await service.post(fields, `?${formatQuery({ [key]: fields[key] as string })}`);
      expect(readAnswerLines(answer, EMPTY_KEY)).toEqual(['status=MISSING_PARAMETER']);
    }
    expect(readAnswerLines(await service.post(fields))).toContain('status=OK');
  });

  it('a request without a body is read from its query', async () => {
    const path = `/wsapi/2.0/verify?${formatQuery(service.fields())}`;
    expect(readAnswerLines(await service.send(path, { method: 'POST' }))).toContain('status=OK');
  });
});

describeWith('openssl', ['openssl'], () => {
  it('confirms the signature of every answer above', () => {
    expect(answers.length).toBeGreaterThan(50);
    expect(wronglySigned(answers)).toEqual([]);
  });

  it('detects an answer signed with another key', () => {
    const [answer] = answers as [SignedAnswer];
    expect(wronglySigned([{ ...answer, apiKey: UNKNOWN_CLIENT.apiKey }])).toHaveLength(1);
    expect(wronglySigned([{ ...answer, apiKey: '' }])).toHaveLength(1);
  });
});

function toNewKey({ publicId, aesKey, privateId }: SoftYubikey) {
  return { publicId, aesKey, privateId };
}
