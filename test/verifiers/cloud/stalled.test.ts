import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { answer, answerText, inTurn, startFakeServer } from './fake-server.js';
import { closeAll, errorOf, faultAt, OK, verifierOf, yubikey } from './harness.js';

const open: net.Server[] = [];
const sockets = new Set<net.Socket>();
afterEach(async () => {
  await closeAll();
  for (const s of sockets) s.destroy();
  await Promise.all(open.splice(0).map((s) => new Promise((r) => s.close(r))));
});

/** Accepts TCP connections and says nothing: a TLS handshake with it hangs. */
async function silentTcp(onConnection: (s: net.Socket) => void = () => undefined) {
  const mine = new Set<net.Socket>();
  const server = net.createServer((s) => {
    mine.add(s);
    sockets.add(s);
    s.on('error', () => undefined);
    s.on('close', () => mine.delete(s));
    s.resume();
    onConnection(s);
  });
  open.push(server);
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  return { port: (server.address() as net.AddressInfo).port, sockets: mine };
}
const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms));
describe('a TLS handshake that hangs', () => {
it('is ended by close()', async () => {
  const silent = await silentTcp();
  const verifier = verifierOf([`https://127.0.0.1:${silent.port}/wsapi/2.0/verify`], { timeout: 8000 });
  const outcome = errorOf(verifier.verify(parseOtp(yubikey.press())));
  await sleep(200);
  expect(silent.sockets.size).toBe(1);
  await verifier.close();
  expect((await outcome).code).toBe('CLOSED');
  await sleep(500);
  expect(silent.sockets.size).toBe(0);
});
it('is ended by the timeout', async () => {
  const silent = await silentTcp();
  const verifier = verifierOf([`https://127.0.0.1:${silent.port}/wsapi/2.0/verify`], {
    timeout: 4000,
    attemptTimeout: 1000,
    retries: 3,
  });
  await errorOf(verifier.verify(parseOtp(yubikey.press())));
  await sleep(700);
  expect(silent.sockets.size).toBe(0);
});

it('is ended by abort', async () => {
  const silent = await silentTcp();
  const verifier = verifierOf([`https://127.0.0.1:${silent.port}/wsapi/2.0/verify`], { timeout: 8000 });
  const c = new AbortController();
  const outcome = errorOf(verifier.verify(parseOtp(yubikey.press()), { signal: c.signal }));
  await sleep(200);
  c.abort();
  await outcome;
  await sleep(500);
  expect(silent.sockets.size).toBe(0);
});
it('does not keep protocol 1.0 from the next server', async () => {
  const silent = await silentTcp();
  const second = await startFakeServer(
    (_q, res) => void res.end(answerText({ t: '2026-11-21T23:21:39Z0649', status: 'OK' })),
    { path: '/wsapi/verify' },
  );
  const _verifier = verifierOf([`https://127.0.0.1:${silent.port}/wsapi/verify`, second.url], {
    protocol: '1.0',
    timeout: 6000,
  });
});

describe('an answer whose body never ends', () => {
it('is retried for its status 500', async () => {
  const server = await startFakeServer(
    inTurn((_q, res) => {
      res.writeHead(500);
      res.write('x');
    }, answer('OK')),
  );
  const started = performance.now();
  expect(await verifierOf([server.url], { timeout: 8000 }).verify(parseOtp(yubikey.press()))).toEqual(OK);
  expect(performance.now() - started).toBeLessThan(1500);
});
it('is REFUSED_BY_FRONT for its status 403', async () => {
  const e = await faultAt(
    [
      (_q, res) => {
        res.writeHead(403);
        res.write('x');
      },
    ],
    { retries: 0, timeout: 1000 },
  );
  expect(e.code).toBe('REFUSED_BY_FRONT');
});
it('does not keep protocol 1.0 from the next server', async () => {
  const first = await startFakeServer(
    (_q, res) => {
      res.writeHead(403);
      res.write('x');
    },
    { path: '/wsapi/verify' },
  );
  const second = await startFakeServer(
    (_q, res) => void res.end(answerText({ t: '2026-11-21T23:21:39Z0649', status: 'OK' })),
    { path: '/wsapi/verify' },
  );
  const verifier = verifierOf([first.url, second.url], { protocol: '1.0', timeout: 2000 });
  expect(await verifier.verify(parseOtp(yubikey.press())).catch((e) => e.message)).toEqual(OK);
});

});
