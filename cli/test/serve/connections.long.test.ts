import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect, it } from 'vitest';
import { isShort, repetitions } from '../../../test/support/long/repetitions.js';
import type { Instance } from '../support/long/serve/instance.js';
import { NO_LIMITS, Site } from '../support/long/serve/site.js';
import { Tally, ValidationClient } from '../support/long/serve/validation-client.js';

const IDLE = repetitions(10_000, 1_000);
const SLOW = repetitions(2_000, 200);
const AT_ONCE = 250;
/** As the service has them. */
const HEADERS_TIMEOUT_MS = 5_000;
const BODY_TIMEOUT_MS = 10_000;
/** It looks for connections to close every second, and the machine may be busy. */
const LATE_MS = 6_000;
const PAUSE_MS = 100;

/** Connections that keep silent, or send so little that their request never ends. */
class Attackers {
  private readonly open = new Map<Socket, number>();
  private readonly lived: number[] = [];
  readonly said = new Tally();
  most = 0;

  constructor(
    private readonly port: number,
    private readonly begin: string,
    private readonly drip: string,
  ) {}

  async connect(count: number): Promise<void> {
    for (let made = 0; made < count; made += AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - made) }, () => this.connectOne()));
    }
  }

  /** Waits until the service has closed them all. @returns how long the first and the last of them lived. */
  async untilClosed(): Promise<{ shortest: number; longest: number }> {
    for (let second = 0; this.open.size > 0 && second < 60; second++) {
      if (this.drip) for (const socket of this.open.keys()) socket.write(this.drip);
      await sleep(1_000);
    }
    expect(this.open.size, 'connections that are still open').toBe(0);
    return { shortest: Math.min(...this.lived), longest: Math.max(...this.lived) };
  }

  private connectOne(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.port, host: '127.0.0.1' });
      socket.on('error', reject);
      socket.on('connect', () => {
        this.open.set(socket, performance.now());
        this.most = Math.max(this.most, this.open.size);
        // A drip may meet a connection that is just closed.
        socket.off('error', reject).on('error', () => undefined);
        if (this.begin) socket.write(this.begin);
        resolve();
      });
      socket.on('data', (answer) => this.said.add(String(answer).split('\r\n', 1)[0] as string));
      socket.on('close', () => {
        const since = this.open.get(socket);
        if (since !== undefined) this.lived.push(performance.now() - since);
        this.open.delete(socket);
      });
    });
  }
}

interface Load {
  verdicts: Tally;
  health: Tally;
  worst(): { verification: number; health: number };
  end(): Promise<void>;
}

/** Somebody signs in, and a supervisor asks whether the service lives, again and again. */
function startLoad(site: Site, service: Instance): Load {
  const client = new ValidationClient(site, { sockets: 1 });
  const [verdicts, health] = [new Tally(), new Tally()];
  const [yubikey] = site.yubikeys as [SoftYubikey];
  let [isOver, verification, healthy] = [false, 0, 0];
  async function again(once: () => Promise<void>): Promise<void> {
    while (!isOver) {
      await once();
      await sleep(PAUSE_MS);
    }
  }
  const running = [
    again(async () => {
      const askedAt = performance.now();
      verdicts.add(await client.verify(service, site.press(yubikey)).catch(String));
      verification = Math.max(verification, performance.now() - askedAt);
    }),
    again(async () => {
      const askedAt = performance.now();
      // A supervisor makes a new connection each time.
      const answer = await fetch(`${service.url}/health`, { headers: { connection: 'close' } }).then(
        async (response) => `${response.status} ${await response.text()}`,
        String,
      );
      health.add(answer);
      healthy = Math.max(healthy, performance.now() - askedAt);
    }),
  ];
  return {
    verdicts,
    health,
    worst: () => ({ verification, health: healthy }),
    async end() {
      isOver = true;
      await Promise.all(running);
      client.close();
    },
  };
}

/** On a busy machine the database may take longer than the service waits for it here. */
const HEALTHY = /^200 \{"status":"healthy"/;
const POST =
  'POST /wsapi/2.0/verify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n' +
  'Content-Type: application/x-www-form-urlencoded\r\n\r\nid=1';

it.each([
  ['that send nothing', IDLE, '', '', HEADERS_TIMEOUT_MS],
  ['that send their headers slowly', SLOW, 'GET /health HTTP/1.1\r\nX-Slow: ', 'x', HEADERS_TIMEOUT_MS],
  ['that send their body slowly', SLOW, POST, '1', BODY_TIMEOUT_MS],
])(
  'connections %s are closed in time, and stop nobody else: %d of them',
  async (name, count, begin, drip, limit) => {
    const site = await Site.open('keys.db', { keys: 1 });
    const service = await site.start(NO_LIMITS);
    const load = startLoad(site, service);
    await sleep(1_000);
    const attackers = new Attackers(Number(new URL(service.url).port), begin, drip);
    const startedAt = performance.now();
    await attackers.connect(count);
    const opening = performance.now() - startedAt;
    const { shortest, longest } = await attackers.untilClosed();
    await sleep(1_000);
    await load.end();
    const { verification, health } = load.worst();
    const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`;
    console.log(
      `${count} connections ${name}, opened in ${seconds(opening)}, ${attackers.most} at once; they lived ` +
        `${seconds(shortest)} to ${seconds(longest)} and were told: ${attackers.said}; meanwhile verifications: ` +
        `${load.verdicts}, worst ${seconds(verification)}; health: ${load.health.all} times, worst ${seconds(health)}`,
    );
    expect(load.verdicts.counts).toEqual({ OK: load.verdicts.all });
    for (const answer of Object.keys(load.health.counts)) expect(answer).toMatch(HEALTHY);
    expect(load.verdicts.all).toBeGreaterThan(isShort ? 5 : 10);
    expect(shortest).toBeGreaterThan(limit - 1_000);
    expect(longest).toBeLessThan(limit + LATE_MS);
    site.tell(await service.metrics());
    expect((await service.stop()).code).toBe(0);
    await site.expectNoLeaks();
  },
);
