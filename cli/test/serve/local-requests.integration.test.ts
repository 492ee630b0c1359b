import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text as readAll } from 'node:stream/consumers';
import { ksmListener } from 'passport-yubikey-otp/server';
import { MemoryStore } from 'passport-yubikey-otp/stores';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../src/serve/endpoints.js';
import { createHttpServer } from '../../src/serve/http-server.js';
import { Metrics } from '../../src/serve/metrics.js';
import { Readiness } from '../../src/serve/readiness.js';

/** What is only for this machine: a path, and how it is refused to others. */
const DOORS = [
  ['/metrics', 404],
  ['/api/v1/keys', 403],
] as const;

/** Lines that a proxy adds to a request. */
const FORWARDED = [
  'Via: 1.1 proxy',
  'via: 1.1 proxy',
  'CDN-Loop: example',
  'Forwarded: for=192.0.2.1',
  'FORWARDED: for=127.0.0.1',
  'fOrWaRdEd: by=_hidden',
  'X-Forwarded: for=192.0.2.1',
  'X-Forwarded-For: 192.0.2.1',
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-Host: otp.example',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Port: 443',
  'X-Forwarded-Server: proxy',
  'X-Forwarded-Prefix: /otp',
  'X-Original-Forwarded-For: 192.0.2.1',
  'X_Forwarded_For: 192.0.2.1',
  'X-Real-IP: 192.0.2.1',
  'x-real-ip: ::1',
  'X-Client-IP: 192.0.2.1',
  'X-Cluster-Client-IP: 192.0.2.1',
  'True-Client-IP: 192.0.2.1',
  'Fastly-Client-IP: 192.0.2.1',
  'CF-Connecting-IP: 192.0.2.1',
  'CF-Connecting-IPv6: 2001:db8::1',
  'X-Azure-ClientIP: 192.0.2.1',
  'X-Azure-SocketIP: 192.0.2.1',
  'X-Envoy-External-Address: 192.0.2.1',
  'X-Remote-Addr: 192.0.2.1',
  // Without a value.
  'X-Forwarded-For:',
  'X-Real-IP: ',
  'Via:',
  // Twice, which Node.js joins or drops.
  'X-Real-IP: 127.0.0.1\r\nX-Real-IP: 127.0.0.1',
  'Via: 1.1 a\r\nVia: 1.1 b',
];

/** How many other headers there may be. */
const MANY = [29, 30, 31, 90];
/** Of so many, Node.js leaves out the last ones, or answers with 431: that depends on its version. */
const TOO_MANY = [99, 128, 150, 300];

describe('a request for what is only for this machine', () => {
  let server: Server;

  beforeAll(async () => {
    const { keys, counters } = new MemoryStore();
    const metrics = new Metrics();
    const readiness = new Readiness({ probe: async () => undefined, fault: undefined });
    const operators = endpoints({ readiness, metrics, isStopping: () => false });
    const ksm = ksmListener({ keys, counters, dangerouslyManageKeysWithoutToken: true });
    server = createHttpServer((req, res, next) => operators(req, res, () => ksm(req, res, next)), undefined);
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterAll(() => server.close());

  async function statusAt(path: string, lines: string): Promise<number> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.end(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines}\r\n\r\n`);
    return Number((await readAll(socket)).split(' ')[1]);
  }

  it.each(DOORS)('is answered at %s if it is direct, with any other header', async (path) => {
    for (const line of ['User-Agent: curl', 'X-Prometheus-Scrape-Timeout-Seconds: 10', 'Accept: */*']) {
      expect(await statusAt(path, line), line).toBe(200);
    }
  });

  describe.each(DOORS)('is refused at %s with %i', (path, status) => {
    it.each(FORWARDED)('if it has %j', async (lines) => {
      expect(await statusAt(path, lines)).toBe(status);
    });

    it.each(MANY)('if it has one after %i others', async (count) => {
      const others = Array.from({ length: count }, (_, at) => `A${at}: 1\r\n`).join('');
      expect(await statusAt(path, `${others}X-Forwarded-For: 192.0.2.1`)).toBe(status);
    });

    it.each(TOO_MANY)('or by Node.js if it has one after %i others', async (count) => {
      const others = Array.from({ length: count }, (_, at) => `A${at}: 1\r\n`).join('');
      expect([status, 431]).toContain(await statusAt(path, `${others}X-Forwarded-For: 192.0.2.1`));
    });
  });
});
