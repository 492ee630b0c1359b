import type { RequestHandler } from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import type { Listener } from '../../../src/server/index.js';
import { EXPRESSES, type Express } from '../../support/passport/app.js';
import { formatQuery, readStatus, Service, signed } from '../../support/server/validation/service.js';
import { withStoppedClock } from '../../support/stopped-clock.js';

const opened: Service[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((service) => service.close()));
});

describe.each(EXPRESSES)('mounted in $version', ({ express }) => {
  async function start(...before: RequestHandler[]): Promise<Service> {
    const service = await Service.start({
      mount: (listener) => {
        const app = express();
        for (const handler of before) app.use(handler);
        app.use(listener);
        app.use((_request, response) => void response.status(418).send('the application'));
        return app as unknown as Listener;
      },
    });
    opened.push(service);
    return service;
  }

  const parsers: Record<string, (express: Express) => RequestHandler[]> = {
    'no parser': () => [],
    'urlencoded({ extended: true })': (it) => [it.urlencoded({ extended: true })],
    'urlencoded({ extended: false })': (it) => [it.urlencoded({ extended: false })],
    'json() only, which leaves a form unread': (it) => [it.json()],
    'json() and urlencoded()': (it) => [it.json(), it.urlencoded({ extended: true })],
    'raw()': (it) => [it.raw({ type: '*/*' })],
    'text()': (it) => [it.text({ type: '*/*' })],
  };

  describe.each(Object.entries(parsers))('after %s', (_, createParsers) => {
    const open = () => start(...createParsers(express));

    it('accepts a signed form, a query, and both together', async () => {
      const service = await open();
      expect(readStatus(await service.post(signed(service.fields({ unknown: 'ü & = + %' }))))).toBe('OK');
      expect(readStatus(await service.get(signed(service.fields())))).toBe('OK');
      const { id, ...rest } = signed(service.fields());
      expect(readStatus(await service.post(rest, `?id=${id}`))).toBe('OK');
    });

    it('accepts a POST without a body', async () => {
      const service = await open();
      const path = () => `/wsapi/2.0/verify?${formatQuery(service.fields())}`;
      expect(readStatus(await service.send(path(), { method: 'POST' }))).toBe('OK');
      const chunked = { 'Transfer-Encoding': 'chunked', 'Content-Type': 'application/x-www-form-urlencoded' };
      await withStoppedClock(async () => {
        expect(readStatus(await service.send(path(), { method: 'POST', headers: chunked }))).toBe('OK');
      });
    });

    it('refuses a repeated parameter, within the form or across form and query', async () => {
      const service = await open();
      const fields = service.fields();
      for (const [key, value] of Object.entries(fields)) {
        const again = formatQuery({ [key]: value });
        expect(readStatus(await service.post(`${formatQuery(fields)}&${again}`))).toBe('MISSING_PARAMETER');
        expect(readStatus(await service.post(fields, `?${again}`))).toBe('MISSING_PARAMETER');
      }
      expect(readStatus(await service.post(fields))).toBe('OK');
    });

    it.each(['otp[]', 'otp[0]', 'otp[a]', 'otp[]=x&otp[]', 'otp[toString]', 'otp.value'])(
      'does not take %s as an OTP',
      async (name) => {
        const service = await open();
        const { otp, ...rest } = service.fields();
        expect(readStatus(await service.post(`${formatQuery(rest)}&${name}=${otp}`))).toBe(
          'MISSING_PARAMETER',
        );
        expect(await service.store.counters.get(service.yubikey.publicId)).toBeUndefined();
      },
    );

    it('echoes no parameter name that could be read as an answer', async () => {
      const service = await open();
      const name = encodeURIComponent('x\r\nstatus=OK\r\nh');
      for (const version of ['1.0', '2.0'] as const) {
        for (const form of [`${name}[a]=1`, `${name}[]=1`, `${name}=1&${name}=1`]) {
          const { text } = await service.post(`${form}&${formatQuery(service.fields())}`, '', version);
          expect(text).not.toContain('status=OK');
        }
      }
    });
  });

  it('refuses a body that another handler has read, without waiting for it', async () => {
    const service = await start((request, _response, next) => void request.resume().on('end', () => next()));
    await withStoppedClock(async () => {
      expect(await service.post(service.fields())).toMatchObject({
        status: 500,
        text: expect.stringContaining('mount the listener earlier'),
      });
    });
    expect(readStatus(await service.get(service.fields()))).toBe('OK');
  });

  it('leaves other paths to the application, and can be mounted below a path', async () => {
    const service = await start();
    expect(await service.send('/elsewhere')).toMatchObject({ status: 418, text: 'the application' });
    const below = await Service.start({
      mount: (listener) => express().use('/yubikey', listener) as unknown as Listener,
    });
    opened.push(below);
    const answer = await below.send(`/yubikey/wsapi/2.0/verify?${formatQuery(below.fields())}`);
    expect(readStatus(answer)).toBe('OK');
  });
});
