import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { formatQuery, PATHS, readStatus, Service, signed } from '../../support/server/validation/service.js';
import { until } from '../../support/stopped-clock.js';

const FORM = 'application/x-www-form-urlencoded';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.close());

const assertStillServing = async () => expect(readStatus(await service.get(service.fields()))).toBe('OK');
/** The head of a POST request; the body is sent separately. */
const post = (...headers: string[]) =>
  `${[`POST ${PATHS['2.0']} HTTP/1.1`, 'Host: x', `Content-Type: ${FORM}`, ...headers].join('\r\n')}\r\n\r\n`;

describe('parameters', () => {
  const INJECTED = ['\0', '\n', '\r', '\r\nstatus=OK', '\u007f', '\u0085', '\u2028', '\u2029', '\t'];
  const PARAMETERS = ['id', 'otp', 'nonce', 'h', 'sl', 'timeout', 'timestamp', 'unknown', 'status'];

  it.each(PARAMETERS)('%s with a control character adds no line to an answer', async (parameter) => {
    for (const text of INJECTED) {
      const fields = service.fields({ h: '' });
      for (const value of [
        text,
        `${fields[parameter] ?? '1'}${text}`,
        `${text}${fields[parameter] ?? '1'}`,
      ]) {
        const changed = { ...fields, [parameter]: value };
        for (const answer of [await service.get(changed), await service.post(changed)]) {
          const lines = answer.text.split('\r\n');
          expect(lines.filter((line) => line.startsWith('status='))).toHaveLength(1);
          expect(answer.text).toMatch(/^h=.*\r\nt=.*\r\n(\w+=[\w+/=:.-]+\r\n)*status=\w+\r\n\r\n$/);
        }
      }
    }
    await assertStillServing();
  });

  it.each(PARAMETERS)('%s as part of a parameter name adds no line either', async (parameter) => {
    for (const text of [...INJECTED, '=OK&status', '[]', ' ', '']) {
      for (const version of ['1.0', '2.0'] as const) {
        const query = `${formatQuery(service.fields({}, version))}&${formatQuery({ [`x${text}${parameter}`]: 'OK' })}`;
        for (const { text } of [
          await service.get(query, version),
          await service.get(`${query}&${query}`, version),
        ]) {
          expect(text.match(/status=/g)).toHaveLength(1);
          expect(text).not.toContain(`x${parameter}`.repeat(2));
        }
      }
    }
  });

  it.each([
    ['a NUL', '\0'],
    ['a line feed', '\n'],
    ['a carriage return', '\r'],
    ['bytes that are not UTF-8', Buffer.from([0xff, 0xfe, 0xc0, 0x80])],
  ])('%s in the request line is never answered OK', async (_, bytes) => {
    const [before, after] = [
      `GET ${PATHS['2.0']}?${formatQuery(service.fields())}`,
      '&x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    ];
    const text = await service.raw(
      Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]),
    );
    expect(text).toMatch(/^HTTP\/1.1 400 |status=MISSING_PARAMETER\r\n|^$/);
    expect(text).not.toContain('status=OK');
  });

  it('bytes that are not UTF-8 make an OTP or a nonce invalid', async () => {
    for (const bytes of ['%ff', '%c0%80', '%ed%a0%80', '%f5%80%80%80']) {
      const { otp, ...rest } = service.fields();
      expect(readStatus(await service.get(`${formatQuery(rest)}&otp=${otp}${bytes}`))).toBe('BAD_OTP');
      const { nonce, ...others } = service.fields();
      expect(readStatus(await service.get(`${formatQuery(others)}&nonce=${nonce}${bytes}`))).toBe(
        'MISSING_PARAMETER',
      );
    }
    const raw = Buffer.concat([
      Buffer.from(`${formatQuery(service.fields())}&x=`),
      Buffer.from([0xff, 0xfe]),
    ]);
    expect(await service.post(raw)).toMatchObject({ status: 400, text: 'The body is not UTF-8\n' });
  });

  it('a percent sign that encodes nothing is taken literally', async () => {
    for (const value of ['%', '%z', '%zz', '%0', '%%30', '%u0063']) {
      const { otp, ...rest } = service.fields();
      expect(readStatus(await service.get(`${formatQuery(rest)}&otp=${otp}${value}`))).toBe('BAD_OTP');
      expect(readStatus(await service.get(`${formatQuery(service.fields())}&unknown=${value}`))).toBe('OK');
    }
  });

  it.each(['otp[]', 'otp[0]', 'otp[a]', 'otp.', ' otp', 'otp ', 'OTP', 'Otp', 'otp%00', '%EF%BB%BFotp'])(
    '%s is not otp',
    async (name) => {
      const { otp, ...rest } = service.fields();
      for (const answer of [
        await service.get(`${formatQuery(rest)}&${name}=${otp}`),
        await service.post(`${formatQuery(rest)}&${name}=${otp}`),
      ]) {
        expect(readStatus(answer)).toBe('MISSING_PARAMETER');
      }
    },
  );

  it('a parameter that is far too long is refused', async () => {
    for (const parameter of ['otp', 'nonce', 'id', 'h', 'sl', 'timeout']) {
      const fields = { ...service.fields(), [parameter]: '1'.repeat(12_000) };
      expect(readStatus(await service.get(fields))).toMatch(/^(BAD_OTP|BAD_SIGNATURE|MISSING_PARAMETER)$/);
      expect(readStatus(await service.post(fields))).toMatch(/^(BAD_OTP|BAD_SIGNATURE|MISSING_PARAMETER)$/);
    }
    expect(await service.get(service.fields({ unknown: 'x'.repeat(20_000) }))).toMatchObject({ status: 431 });
    await assertStillServing();
  });

  it('a thousand unknown parameters are accepted', async () => {
    const many = Array.from({ length: 1000 }, (_, at) => `x${at}=`).join('&');
    expect(readStatus(await service.get(`${formatQuery(service.fields())}&${many}`))).toBe('OK');
    expect(readStatus(await service.get(`${formatQuery(service.fields())}&${many}&x0=`))).toBe(
      'MISSING_PARAMETER',
    );
  });
});

describe('a body', () => {
  it.each([
    ['JSON', 'application/json', '{"otp":"x"}'],
    ['without a type', '', 'otp=x'],
    ['multipart', 'multipart/form-data; boundary=x', '--x--'],
    ['text', 'text/plain', 'otp=x'],
    ['XML', 'application/xml', '<otp/>'],
    ['of a type that only starts like the right one', `${FORM}x`, 'otp=x'],
    ['of a list of types', `text/plain, ${FORM}`, 'otp=x'],
  ])('%s is HTTP 415', async (_, type, body) => {
    const path = `${PATHS['2.0']}?${formatQuery(service.fields())}`;
    const reply = await service.send(path, { method: 'POST', headers: { 'Content-Type': type }, body });
    expect(reply).toMatchObject({ status: 415, headers: { connection: 'close' } });
    expect(reply.text).toContain(FORM);
    await assertStillServing();
  });

  it('compressed is HTTP 415', async () => {
    const headers = { 'Content-Type': FORM, 'Content-Encoding': 'gzip' };
    expect(await service.send(PATHS['2.0'], { method: 'POST', headers, body: 'x' })).toMatchObject({
      status: 415,
    });
  });

  it('is accepted whatever the case of its type', async () => {
    const headers = { 'Content-Type': 'Application/X-WWW-Form-URLencoded ; charset=UTF-8' };
    const reply = await service.send(PATHS['2.0'], {
      method: 'POST',
      headers,
      body: formatQuery(service.fields()),
    });
    expect(readStatus(reply)).toBe('OK');
  });

  it('that is announced as too long is HTTP 413 before it arrives', async () => {
    const text = await service.raw(post('Content-Length: 1000000'), 'otp=x');
    expect(text).toMatch(/^HTTP\/1.1 413 [\s\S]*Connection: close/);
  });

  it('without an end is HTTP 413 after 16 KiB, and the connection is closed', async () => {
    const chunk = `400\r\n${'x'.repeat(0x400)}\r\n`;
    const text = await service.raw(post('Transfer-Encoding: chunked'), ...Array(20).fill(chunk));
    expect(text).toMatch(/^HTTP\/1.1 413 [\s\S]*Connection: close/);
  });

  it('that never arrives is HTTP 408 after ten seconds, and the connection is closed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const before = vi.getTimerCount();
      const answer = service.raw(post('Content-Length: 100'), 'otp=');
      await until(() => vi.getTimerCount() > before);
      vi.advanceTimersByTime(10_000);
      expect(await answer).toMatch(/^HTTP\/1.1 408 [\s\S]*Connection: close/);
      expect(vi.getTimerCount()).toBe(before);
    } finally {
      vi.useRealTimers();
    }
  });

  it('that the client aborts is an HTTP error, and the service goes on', async () => {
    const events = service.events.length;
    const socket = connect(Number(new URL(service.origin).port), '127.0.0.1');
    socket.write(`${post('Content-Length: 100')}otp=`, () => setTimeout(() => socket.destroy(), 50));
    await until(() => service.events.length > events);
    expect(service.events.at(-1)).toMatchObject({ status: 'HTTP_ERROR', httpStatus: 400 });
    await assertStillServing();
  });

  it('that is cut off is an HTTP error, and the service goes on', async () => {
    const events = service.events.length;
    const half = await service.raw(`${post('Transfer-Encoding: chunked')}3\r\notp\r\nno number\r\n`);
    expect(half).not.toContain('status=');
    await until(() => service.events.length > events);
    expect(service.events.at(-1)).toMatchObject({ status: 'HTTP_ERROR', httpStatus: 400 });
    await assertStillServing();
  });
});

describe('a request', () => {
  it.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE'])('by %s is HTTP 405', async (method) => {
    const path = `${PATHS['2.0']}?${formatQuery(service.fields())}`;
    expect(await service.send(path, { method })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, POST' },
    });
    await assertStillServing();
  });

  it.each([
    '/',
    '/wsapi',
    '/wsapi/2.0',
    '/wsapi/3.0/verify',
    '/wsapi/2.0/verify/x',
    '/WSAPI/2.0/verify',
    '//wsapi/2.0/verify',
    '/wsapi/2.0%2Fverify',
  ])('to %s is HTTP 404', async (path) => {
    const reply = await service.send(`${path}?${formatQuery(service.fields())}`);
    expect(reply).toMatchObject({ status: 404, text: 'Nothing is served at this path\n' });
  });

  it('may have a trailing slash in its path, or a target in absolute form', async () => {
    expect(readStatus(await service.send(`${PATHS['2.0']}/?${formatQuery(service.fields())}`))).toBe('OK');
    const line = `GET ${service.origin}${PATHS['2.0']}?${formatQuery(signed(service.fields()))} HTTP/1.1`;
    expect(await service.raw(`${line}\r\nHost: x\r\nConnection: close\r\n\r\n`)).toContain('status=OK');
  });
});
