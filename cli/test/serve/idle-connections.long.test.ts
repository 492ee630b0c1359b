import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { isShort, repetitions } from '../../../test/support/long/repetitions.js';
import { temporaryFolder } from '../support/command.js';
import { firstClient, serve, store, verdict } from '../support/serve/service.js';

const COUNT = repetitions(10_000, 1_000);

/** Opens connections that have asked once, and then stay silent. */
async function openIdle(port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < COUNT) {
    const some = Array.from({ length: 250 }, () => connect(port, '127.0.0.1'));
    await Promise.all(some.map((socket) => answered(socket)));
    sockets.push(...some);
  }
  return sockets;
}

function answered(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject).once('connect', () => socket.write(ASKED_ONCE));
    socket.once('data', () => resolve());
    socket.resume();
  });
}

/** Keeps its connection open: the service waits for the next request. */
const ASKED_ONCE = 'GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('idle connections', () => {
  it(`that have asked once stop no other client: ${COUNT} of them`, async () => {
    const cwd = temporaryFolder();
    const service = await serve([], { cwd });
    const yubikey = new SoftYubikey();
    await store([yubikey], { cwd });
    const client = firstClient(cwd);
    const sockets = await openIdle(Number(new URL(service.url).port));
    for (const socket of sockets) socket.on('error', () => undefined);
    const took: number[] = [];
    for (let tries = 0; tries < 50; tries++) {
      const startedAt = performance.now();
      expect(await verdict(service, client, yubikey.press())).toBe('OK');
      took.push(performance.now() - startedAt);
    }
    took.sort((one, other) => one - other);
    console.log(
      `${sockets.length} connections: median ${took[25]?.toFixed(1)} ms, worst ${took[49]?.toFixed(1)} ms`,
    );
    expect(took[25]).toBeLessThan(500);
    const open = () => sockets.filter(({ closed, readyState }) => !closed && readyState === 'open').length;
    expect(open()).toBe(COUNT);
    const startedAt = performance.now();
    expect((await service.stop()).code).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(14_000);
    for (const socket of sockets) socket.destroy();
    await sleep(100);
  });

  it.skipIf(isShort)('more than the 16,000 that there may be make room for who asks', async () => {
    const cwd = temporaryFolder();
    const service = await serve([], { cwd });
    const port = Number(new URL(service.url).port);
    const sockets = await openIdle(port);
    for (const socket of sockets) socket.on('error', () => undefined);
    const more = Array.from({ length: 7_000 }, () => connect(port, '127.0.0.1'));
    for (const socket of more) socket.on('error', () => undefined).resume();
    await expect
      .poll(
        () =>
          fetch(`${service.url}/ready`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(200);
    for (const socket of [...sockets, ...more]) socket.destroy();
  });
});
