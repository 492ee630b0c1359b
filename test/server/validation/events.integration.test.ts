import { inspect } from 'node:util';
import Database from 'libsql';
import { afterEach, describe, expect, it } from 'vitest';
import {
  CloudVerifier,
  KsmVerifier,
  LocalKsm,
  MemoryStore,
  parseOtp,
  type Verifier,
} from '../../../src/index.js';
import { decodeModhex } from '../../../src/otp/modhex.js';
import { SqliteStore } from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import {
  CLIENT,
  DISABLED_CLIENT,
  type Fields,
  formatQuery,
  OTHER_CLIENT,
  readStatus,
  rejectingVerifier,
  Service,
  signed,
} from '../../support/server/validation/service.js';
import { secretsIn } from '../../support/stores/secret-search.js';
import { temporaryFile } from '../../support/stores/sqlite-drivers.js';
import {
  breakOff,
  closeFakeServers,
  httpStatus,
  startFakeServer,
  text,
} from '../../support/verifiers/cloud/fake-server.js';

const opened: Service[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((service) => service.close()));
  await closeFakeServers();
});

async function start(...options: Parameters<typeof Service.start>): Promise<Service> {
  const service = await Service.start(...options);
  opened.push(service);
  return service;
}

describe('an event', () => {
  it('describes an answer for logs and metrics', async () => {
    const service = await start();
    await service.get(service.fields());
    expect(service.events).toEqual([
      {
        protocol: '2.0',
        clientId: CLIENT.id,
        publicId: service.yubikey.publicId,
        status: 'OK',
        httpStatus: 200,
        milliseconds: expect.any(Number),
        address: '127.0.0.1',
        error: undefined,
      },
    ]);
  });

  it('is emitted once for each answer, with the status that was sent', async () => {
    const service = await start();
    const fields = service.fields();
    const stranger = new SoftYubikey();
    const requests: [Fields, object][] = [
      [fields, { status: 'OK', clientId: CLIENT.id, publicId: service.yubikey.publicId }],
      [fields, { status: 'REPLAYED_REQUEST' }],
      [signed(fields, OTHER_CLIENT), { status: 'BAD_SIGNATURE', clientId: CLIENT.id }],
      [service.fields({ otp: stranger.press() }), { status: 'BAD_OTP', publicId: stranger.publicId }],
      [service.fields({ otp: 'hunter2' }), { status: 'BAD_OTP', clientId: CLIENT.id, publicId: undefined }],
      [service.fields({ id: '4711' }), { status: 'NO_SUCH_CLIENT', clientId: '4711' }],
      [
        service.fields({ id: DISABLED_CLIENT.id }),
        { status: 'NO_SUCH_CLIENT', clientId: DISABLED_CLIENT.id },
      ],
      [
        service.fields({ id: 'x\n' }),
        { status: 'MISSING_PARAMETER', clientId: undefined, publicId: undefined },
      ],
      [service.fields({ id: "1'" }), { status: 'MISSING_PARAMETER', clientId: undefined }],
    ];
    for (const [request, event] of requests) {
      const reply = await service.get(request);
      expect(service.events.at(-1)).toMatchObject({ ...event, httpStatus: 200, error: undefined });
      expect(service.events.at(-1)?.status).toBe(readStatus(reply));
    }
    expect(service.events).toHaveLength(requests.length);
  });

  it('has the status that was sent in protocol 1.x', async () => {
    const service = await start();
    const fields = service.fields({}, '1.0');
    for (const status of ['OK', 'REPLAYED_OTP']) {
      await service.get(fields, '1.0');
      expect(service.events.at(-1)).toMatchObject({ protocol: '1.0', status });
    }
  });

  it('is emitted for HTTP errors too, but not for other paths', async () => {
    const service = await start();
    const path = '/wsapi/2.0/verify';
    await service.send(path, { method: 'PUT' });
    await service.send(path, { method: 'POST', body: 'x' });
    await service.send('/elsewhere');
    expect(service.events).toMatchObject([
      { status: 'HTTP_ERROR', httpStatus: 405, error: { name: 'HttpFault' } },
      { status: 'HTTP_ERROR', httpStatus: 415, error: { name: 'HttpFault' } },
    ]);
  });

  it('has the address that addressOf returns', async () => {
    const service = await start({
      options: { addressOf: ({ headers }) => headers['x-forwarded-for'] as string },
    });
    const path = `/wsapi/2.0/verify?${formatQuery(service.fields())}`;
    await service.send(path, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
    expect(service.events.at(-1)?.address).toBe('192.0.2.1');
  });
});

describe('no event contains a secret', () => {
  /** All that a log could contain of the events, however it prints them. */
  const dumpEvents = (service: Service) =>
    Buffer.from(
      service.events
        .map(
          (event) =>
            `${inspect(event, { depth: 20, showHidden: true, maxStringLength: null })}\n${JSON.stringify(event)}`,
        )
        .join('\n'),
    );

  function assertClean(service: Service, otps: readonly string[]): void {
    const tokens = otps.map((otp, at) => [`token ${at}`, decodeModhex(parseOtp(otp).token)]);
    const secrets = {
      'AES key': service.yubikey.aesKey,
      'private ID': service.yubikey.privateId,
      ...Object.fromEntries(tokens),
      ...Object.fromEntries(
        [CLIENT, OTHER_CLIENT, DISABLED_CLIENT].map(({ id, apiKey }) => [
          `API key ${id}`,
          Buffer.from(apiKey, 'base64'),
        ]),
      ),
    };
    const dump = dumpEvents(service);
    expect(service.events.length).toBeGreaterThan(0);
    expect(secretsIn(dump, secrets)).toEqual([]);
    const capitals = Buffer.from(dump.toString().toLowerCase());
    expect(secretsIn(capitals, Object.fromEntries(tokens))).toEqual([]);
  }

  /** Sends requests of every kind, with secrets in every place; returns the OTPs in them. */
  async function askEverything(service: Service): Promise<string[]> {
    const otps: string[] = [];
    const press = () => {
      const otp = service.yubikey.press();
      otps.push(otp);
      return otp;
    };
    const secret = CLIENT.apiKey;
    for (const version of ['1.0', '1.1', '2.0'] as const) {
      const fields = () => service.fields({ otp: press() }, version);
      const requests: (Fields | string)[] = [
        fields(),
        signed(fields()),
        { ...fields(), timestamp: '1' },
        { ...fields(), h: secret },
        { ...fields(), nonce: secret },
        { ...fields(), id: secret },
        { ...fields(), id: press() },
        { ...fields(), nonce: press() },
        { ...fields(), sl: press() },
        { ...fields(), otp: `${press()}${press()}` },
        { ...fields(), otp: press().toUpperCase() },
        { ...fields(), [press()]: secret },
        `${formatQuery(fields())}&${press()}=1&${otps.at(-1)}=2`,
        `${formatQuery(fields())}&otp=${press()}`,
        `${formatQuery(fields())}&x=${press()}%0a`,
        `${press()}`,
      ];
      for (const request of requests) {
        await service.get(request, version);
        await service.post(request, '', version);
      }
      const path = `/wsapi/verify?${formatQuery(fields())}`;
      await service.send(path, { method: 'PUT' });
      await service.send(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: press(),
      });
      await service.post(Buffer.concat([Buffer.from(`otp=${press()}`), Buffer.from([0xff])]));
      await service.post(`otp=${press()}&x=${'x'.repeat(20_000)}`);
    }
    return otps;
  }

  it('with a MemoryStore', async () => {
    const service = await start();
    assertClean(service, await askEverything(service));
    const statuses = new Set(service.events.map(({ status }) => status));
    for (const status of [
      'OK',
      'BAD_OTP',
      'BAD_SIGNATURE',
      'MISSING_PARAMETER',
      'REPLAYED_OTP',
      'HTTP_ERROR',
    ]) {
      expect(statuses).toContain(status);
    }
  });

  it('with a client limit that is exceeded', async () => {
    const service = await start({ options: { limitClient: () => false } });
    assertClean(service, await askEverything(service));
  });

  it('with a SQLite database that is closed', async () => {
    const database = new Database(temporaryFile());
    const store = new SqliteStore({ database });
    await store.migrate();
    const service = await start({ store });
    database.close();
    assertClean(service, await askEverything(service));
    expect(service.events.some(({ error }) => error !== undefined)).toBe(true);
  });

  it('with counters that cannot be written', async () => {
    const store = new MemoryStore();
    const service = await start({ store });
    service.verifier = new KsmVerifier({
      ksm: new LocalKsm(store.keys),
      counters: { advance: () => Promise.reject(new Error('disk full')) },
    });
    assertClean(service, await askEverything(service));
    expect(service.events.at(0)?.error).toMatchObject({ code: 'STORE_FAILED' });
  });

  it.each([
    ['cannot be reached', breakOff],
    ['fails', httpStatus(500)],
    ['answers nonsense', text('<html>')],
    [
      'echoes the request',
      (query, res) => void res.end(`${query.get('otp')}=1\n${query.get('h')}=${query}\n`),
    ],
  ] as [string, Parameters<typeof startFakeServer>[0]][])(
    'in front of another service that %s',
    async (_, behaviour) => {
      const service = await start();
      const server = await startFakeServer(behaviour);
      const cloud = new CloudVerifier({
        clientId: CLIENT.id,
        apiKey: OTHER_CLIENT.apiKey,
        servers: [server.url],
        retries: 0,
        timeout: 1000,
      });
      service.verifier = cloud;
      assertClean(service, await askEverything(service));
      expect(service.events.some(({ error }) => error !== undefined)).toBe(true);
      await cloud.close();
    },
  );

  it('and this test would find one', async () => {
    const service = await start();
    const otp = service.yubikey.press();
    const leaks: Verifier[] = [
      rejectingVerifier(new Error(otp)),
      rejectingVerifier({ apiKey: CLIENT.apiKey }),
    ];
    for (const verifier of leaks) {
      service.events.length = 0;
      service.verifier = verifier;
      await service.get(service.fields({ otp }));
      expect(() => assertClean(service, [otp])).toThrow();
    }
  });
});
