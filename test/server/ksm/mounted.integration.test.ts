import type { IncomingMessage, RequestListener } from 'node:http';
import type { RequestHandler } from 'express';
import request from 'supertest';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ksmListener, type Listener } from '../../../src/server/index.js';
import { MemoryStore } from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { EXPRESSES, errorHandler } from '../../support/passport/app.js';
import { exchange, formatRequest } from '../../support/server/ksm/raw.js';
import {
  addKey,
  decrypt,
  deleteKey,
  ksmService,
  listKeys,
  refused,
  serve,
  TOKEN,
  withPrivateId,
  wsapi,
} from '../../support/server/ksm/service.js';
import { withStoppedClock } from '../../support/stopped-clock.js';

const KEY = { key_id: 'cccccccccccc', aes_key: '31323334353637383930313233343536' };

function listener(): Listener & MemoryStore {
  const store = new MemoryStore();
  const { keys, counters } = store;
  return Object.assign(ksmListener({ keys, counters, managementToken: TOKEN }), store);
}

async function expectWholeService(url: string): Promise<void> {
  const yubikey = new SoftYubikey();
  await request(url).get('/health').expect(200);
  await addKey({ url }, withPrivateId(yubikey)).expect(201);
  const otp = yubikey.press();
  expect((await wsapi({ url }, otp)).text).toMatch(/^OK /);
  await decrypt({ url }, otp).expect(200);
  const { body } = await listKeys({ url }, '?limit=1').expect(200);
  expect(body.keys).toMatchObject([{ key_id: yubikey.publicId, usage_count: 1 }]);
  await deleteKey({ url }, yubikey.publicId).expect(200);
}

it('is a listener for http.createServer', async () => {
  await expectWholeService(await serve(listener() as RequestListener));
});

describe.each(EXPRESSES)('in an app of $version', ({ express }) => {
  const parsers: [string, RequestHandler[]][] = [
    ['no parser', []],
    ['express.json()', [express.json()]],
    ['express.json() and express.urlencoded()', [express.json(), express.urlencoded({ extended: true })]],
    ['express.urlencoded()', [express.urlencoded({ extended: false })]],
    ['express.text(), for text bodies', [express.text()]],
    ['express.text(), for all bodies', [express.text({ type: '*/*' })]],
    ['express.raw(), for binary bodies', [express.raw()]],
    ['express.raw(), for all bodies', [express.raw({ type: '*/*' })]],
    ['a slow handler', [(_req, _res, next) => setTimeout(next, 20)]],
  ];

  it.each(parsers)('serves behind %s', async (_, handlers) => {
    const app = express();
    for (const handler of handlers) app.use(handler);
    app.use(listener());
    await expectWholeService(await serve(app));
  });

  it.each(parsers)('serves at a prefix, behind %s', async (_, handlers) => {
    const app = express();
    app.use('/deep/ksm', ...handlers, listener());
    app.use((_req, res) => void res.status(418).end());
    const url = await serve(app);
    await expectWholeService(`${url}/deep/ksm`);
    await request(url).get('/health').expect(418);
    await request(url).get('/deep/ksm/elsewhere').expect(418);
  });

  it.each(parsers)('refuses invalid keys, behind %s', async (_, handlers) => {
    const app = express();
    const ksm = listener();
    app.use(...[...handlers, ksm]);
    const url = await serve(app);
    for (const body of ['[]', '{}', '{"key_id":[]}', '']) {
      // One that was waited for in vain would be 408.
      const { status } = await addKey({ url }, body);
      expect(status, body).toBe(400);
    }
    expect((await ksm.keys.list()).records).toEqual([]);
  });

  it('leaves other paths to the app', async () => {
    const app = express();
    app.use(listener());
    app.get('/', (_req, res) => void res.send('home'));
    await request(app).get('/').expect(200, 'home');
    await request(app).get('/nowhere').expect(404);
  });

  it.each(['null', '1', 'true', '"text"'])(
    'INVALID_JSON for %s that express.json({ strict: false }) accepted',
    async (body) => {
      const app = express();
      app.use(express.json({ strict: false }), listener());
      const url = await serve(app);
      await addKey({ url }, body).expect(refused(400, 'INVALID_JSON'));
    },
  );

  it.each([
    ['JSON', JSON.stringify(KEY)],
    ['no body', ''],
  ])('reports at once that another handler read the body: %s', async (_, body) => {
    const app = express();
    const drain: RequestHandler = async (req, _res, next) => {
      for await (const _ of req);
      next();
    };
    const ksm = listener();
    app.use(drain, ksm);
    const url = await serve(app);
    await withStoppedClock(async () => {
      await addKey({ url }, body).expect(refused(500, 'INTERNAL_SERVER_ERROR'));
    });
    expect((await ksm.keys.list()).records).toEqual([]);
  });

  it('uses the address that an app behind a proxy determines', async () => {
    const app = express();
    app.set('trust proxy', true);
    const { keys, counters } = new MemoryStore();
    const addressOf = (req: IncomingMessage) => (req as unknown as { ip: string }).ip;
    app.use(ksmListener({ keys, counters, allowDecryptFrom: ['198.51.100.7'], addressOf }));
    const ask = (from: string) =>
      request(app)
        .post('/api/v1/decrypt')
        .set('X-Forwarded-For', from)
        .send({ otp: new SoftYubikey().press() });
    await ask('198.51.100.7').expect(404);
    await ask('198.51.100.8').expect(403);
  });
});

describe('when addressOf throws', () => {
  const error = new Error('no address: password=hunter2');
  const { keys, counters } = new MemoryStore();
  const throwing = () =>
    ksmListener({
      keys,
      counters,
      addressOf: () => {
        throw error;
      },
    });
  const ask = (app: Parameters<typeof request>[0]) => request(app).get('/wsapi/decrypt?otp=c').expect(500);

  it('a server of http.createServer reveals nothing about the error', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    onTestFinished(() => warned.mockRestore());
    const { text } = await ask(await serve(throwing() as RequestListener));
    expect(text).toBe('The server failed\n');
    expect(warned).toHaveBeenCalledWith(error);
  });

  it.each(EXPRESSES)('an app of $version receives the error', async ({ express }) => {
    const reached: unknown[] = [];
    const app = express();
    app.use(throwing());
    app.use(errorHandler((error) => reached.push(error)));
    await ask(app);
    expect(reached).toEqual([error]);
  });
});

describe('a request target in absolute form', () => {
  it.each([
    ['as sent to a proxy', 'http://localhost:8002/health'],
    ['of another host', 'http://ksm.example/health'],
    ['over https', 'https://ksm.example/health'],
    ['in upper case', 'HTTP://ksm.example/health'],
    ['with a query', 'http://ksm.example/health?x=/'],
  ])('%s is served', async (_, target) => {
    const { url } = await ksmService();
    const lines = [`GET ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close'];
    expect(await exchange(url, formatRequest(lines)).answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ['without a path', 'http://ksm.example'],
    ['with its path in the query', 'http://ksm.example?/health'],
    ['with its path in the fragment', 'http://ksm.example#/health'],
    ['of another scheme', 'ftp://ksm.example/health'],
  ])('%s is not served', async (_, target) => {
    const { url } = await ksmService();
    const lines = [`GET ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close'];
    expect(await exchange(url, formatRequest(lines)).answer).toMatch(/^HTTP\/1\.1 40[04] /);
  });

  it('requires the management token like any other', async () => {
    const { url } = await ksmService();
    const lines = ['GET http://localhost/api/v1/keys HTTP/1.1', 'Host: localhost', 'Connection: close'];
    expect(await exchange(url, formatRequest(lines)).answer).toMatch(/^HTTP\/1\.1 401 /);
  });
});
