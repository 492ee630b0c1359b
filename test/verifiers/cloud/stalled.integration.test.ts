import net from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { isPending, until, withStoppedClock } from '../../support/stopped-clock.js';
import {
  answer,
  answerText,
  type Behaviour,
  inTurn,
  startFakeServer,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  catchError,
  closeAll,
  createVerifier,
  faultAt,
  OK,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

const servers = new Set<net.Server>();
const sockets = new Set<net.Socket>();

afterEach(async () => {
  await closeAll();
  for (const socket of sockets) socket.destroy();
  await Promise.all([...servers].map((server) => new Promise((resolve) => server.close(resolve))));
  servers.clear();
});

/** Accepts connections without an answer, so that TLS handshakes hang. */
async function startSilentServer(): Promise<string> {
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://127.0.0.1:${(server.address() as net.AddressInfo).port}/wsapi/verify`;
}

const ok1: Behaviour = (_query, res) =>
  void res.end(answerText({ t: '2026-11-21T23:21:39Z0649', status: 'OK' }));

const endless =
  (status: number): Behaviour =>
  (_query, res) =>
    void res.writeHead(status).write('x');

describe('a TLS handshake that hangs', () => {
  const verify = (url: string, options: object, signal?: AbortSignal) => {
    const verifier = createVerifier([url], options);
    const error = catchError(verifier.verify(parseOtp(yubikey.press()), signal ? { signal } : {}));
    return { verifier, error };
  };

  it('is ended by close()', async () => {
    const { verifier, error } = verify(await startSilentServer(), { timeout: 8000 });
    await expect.poll(() => sockets.size).toBe(1);
    await verifier.close();
    expect((await error).code).toBe('CLOSED');
    await expect.poll(() => sockets.size).toBe(0);
  });

  it('is ended by the timeout in every attempt', async () => {
    const server = await startSilentServer();
    await withStoppedClock(async () => {
      const { error } = verify(server, { timeout: 1200, attemptTimeout: 300 });
      for (let attempts = 1; attempts <= 4; attempts++) {
        await until(() => sockets.size === attempts);
        expect(await isPending(error)).toBe(true);
        vi.advanceTimersByTime(300);
      }
      expect((await error).code).toBe('TIMED_OUT');
    });
    await expect.poll(() => sockets.size).toBe(0);
  });

  it('is ended by the signal', async () => {
    const controller = new AbortController();
    const { error } = verify(await startSilentServer(), { timeout: 8000 }, controller.signal);
    await expect.poll(() => sockets.size).toBe(1);
    controller.abort();
    expect((await error).code).toBe('ABORTED');
    await expect.poll(() => sockets.size).toBe(0);
  });

  it('does not stop protocol 1.0 from asking the next server', async () => {
    const second = await startFakeServer(ok1, { path: '/wsapi/verify' });
    const verifier = createVerifier([await startSilentServer(), second.url], {
      protocol: '1.0',
      timeout: 3000,
    });
    await withStoppedClock(async () => {
      const verification = verifier.verify(parseOtp(yubikey.press()));
      await until(() => sockets.size === 1);
      vi.advanceTimersByTime(1500);
      expect(await verification).toEqual(OK);
    });
  });
});

describe('an answer whose body never ends', () => {
  it('is retried for its status 500', async () => {
    const server = await startFakeServer(inTurn(endless(500), answer('OK')));
    await withStoppedClock(async () => {
      const verifier = createVerifier([server.url], { timeout: 8000 });
      const verification = verifier.verify(parseOtp(yubikey.press()));
      await until(() => server.requests.length === 1);
      expect(await isPending(verification)).toBe(true);
      vi.advanceTimersByTime(500);
      expect(await verification).toEqual(OK);
    });
  });

  it('is REFUSED_BY_FRONT for its status 403', async () => {
    expect((await faultAt([endless(403)], { retries: 0, timeout: 1000 })).code).toBe('REFUSED_BY_FRONT');
  });

  it('does not stop protocol 1.0 from asking the next server', async () => {
    const first = await startFakeServer(endless(403), { path: '/wsapi/verify' });
    const second = await startFakeServer(ok1, { path: '/wsapi/verify' });
    const verifier = createVerifier([first.url, second.url], { protocol: '1.0', timeout: 20_000 });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
  });
});
