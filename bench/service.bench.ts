import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../test/support/servers/postgres.js';
import { type Contestant, compare, type Measured, median, ratio } from './compare.js';
import { Otps } from './otps.js';
import { keepReport } from './report.js';
import { MAIN, ServiceDatabase } from './service/database.js';
import { load } from './service/load.js';
import { writeRequests } from './service/requests.js';
import { type Started, start, startModule } from './service/start.js';
import { hasYubiserver, startYubiserver } from './service/yubiserver.js';

/** Measures verifications per second over HTTP, of fresh OTPs of many keys. Requests are signed, answers checked. */
const YUBIKEYS = 1_000;
const LEVELS = [
  { connections: 1, seconds: 1, mostPerSecond: 20_000 },
  { connections: 16, seconds: 1, mostPerSecond: 60_000 },
  { connections: 64, seconds: 2, mostPerSecond: 60_000 },
];

/** The services named on the command line; all by default. */
const wanted = process.argv.slice(2);
const isWanted = (name: string) => wanted.length === 0 || wanted.some((part) => name.includes(part));

if (spawnSync('wrk', ['--version']).error) throw new Error('wrk is not installed (Debian: wrk)');
const folder = mkdtempSync(join(tmpdir(), 'bench-service-'));
const requests = join(folder, 'requests');
const otps = new Otps(YUBIKEYS);
const started: Started[] = [];
const postgres = missingPostgres.length === 0 ? await PostgresServer.start() : undefined;

interface Service {
  readonly name: string;
  readonly url: string;
  /** Whether answers echo OTP and nonce. */
  readonly isEchoed: boolean;
  /** Undefined if accepted OTPs cannot be counted. */
  readonly database?: ServiceDatabase | undefined;
}

async function service(name: string, server: Promise<Started>, database?: ServiceDatabase): Promise<Service> {
  started.push(await server);
  return { name, url: (await server).url, isEchoed: name !== LIMIT, database };
}

/** Starts the installed `yubikey-otp serve`, with its log in a file and without rate limits. */
async function serve(name: string, where: string): Promise<Service> {
  const database = new ServiceDatabase(where, otps.yubikeys);
  const port = await freePort();
  const args = ['serve', '--port', String(port), '--address-limit', '0', '--client-limit', '0'];
  const stdout = openSync(join(folder, `${port}.log`), 'w');
  return service(name, start(process.execPath, [MAIN, ...args], port, { ...database.env, stdout }), database);
}

const LIMIT = 'limit: node:http with one answer';
const SQLITE = 'yubikey-otp serve, SQLite';
const POSTGRES = 'yubikey-otp serve, PostgreSQL';
const BARE = 'validationListener alone, SQLite';
const YUBISERVER = 'yubiserver (C, SQLite)';

async function startAll(): Promise<Service[]> {
  const services = [
    await service(LIMIT, startModule('constant.ts', await freePort())),
    await serve(SQLITE, join(folder, 'serve.db')),
  ];
  if (isWanted(BARE)) {
    const database = new ServiceDatabase(join(folder, 'bare.db'), otps.yubikeys);
    services.push(await service(BARE, startModule('bare.ts', await freePort(), database.env), database));
  }
  if (postgres && isWanted(POSTGRES)) services.push(await serve(POSTGRES, await postgres.newDatabase()));
  if (hasYubiserver && isWanted(YUBISERVER))
    services.push(await service(YUBISERVER, startYubiserver(folder, otps.yubikeys)));
  return services;
}

const at = (name: string, connections: number) => `${name}, ${connections} at once`;

const createContestant = (
  { name, url, isEchoed, database }: Service,
  { connections, seconds }: (typeof LEVELS)[number],
): Contestant => ({
  name: at(name, connections),
  async measure() {
    const before = (await database?.accepted()) ?? 0;
    const { figures, answered } = await load({
      url,
      requests,
      connections,
      seconds,
      isEchoed,
      closes: name === YUBISERVER,
    });
    const accepted = ((await database?.accepted()) ?? 0) - before;
    // At the end of the load, each connection may have been waiting for an answer.
    if (database && (accepted < answered || accepted > answered + connections))
      throw new Error(`${name} accepted ${accepted} OTPs and answered ${answered}`);
    return figures;
  },
});

try {
  const services = await startAll();
  const measured: Record<string, Measured[string]> = {};
  for (const level of LEVELS) {
    const fresh: Contestant = {
      name: 'requests',
      async measure() {
        writeRequests(requests, otps, level.seconds * level.mostPerSecond);
        return {};
      },
    };
    // With more than one connection, yubiserver answers BAD_OTP to valid OTPs.
    const asked = services.filter(({ name }) => level.connections === 1 || name !== YUBISERVER);
    const { requests: _, ...figures } = await compare([
      fresh,
      ...asked.map((service) => createContestant(service, level)),
    ]);
    Object.assign(measured, figures);
  }
  const part = (of: string, connections: number, to = LIMIT) =>
    ratio(measured, 'per second', at(of, connections), at(to, connections));
  const p99 = (of: string) =>
    median((measured[at(of, 64)] ?? []).map((figures) => figures['p99, ms'] as number));
  const names = services.map(({ name }) => name);
  keepReport({
    bench: 'service',
    measured,
    goals: [
      { what: `${SQLITE}, 64 connections, of the limit`, reached: part(SQLITE, 64), atLeast: 0.4 },
      { what: `${SQLITE}, 64 connections, p99 in ms`, reached: p99(SQLITE), atMost: 30 },
      ...(names.includes(YUBISERVER)
        ? [
            {
              what: `${SQLITE}, 1 connection, of yubiserver`,
              reached: part(SQLITE, 1, YUBISERVER),
              atLeast: 1.5,
            },
          ]
        : []),
      ...(names.includes(POSTGRES)
        ? [
            { what: `${POSTGRES}, 64 connections, of the limit`, reached: part(POSTGRES, 64), atLeast: 0.25 },
            { what: `${POSTGRES}, 64 connections, p99 in ms`, reached: p99(POSTGRES), atMost: 30 },
          ]
        : []),
    ],
    skipped: {
      ...(!postgres && { [POSTGRES]: 'not installed (Debian: postgresql)' }),
      ...(!hasYubiserver && { [YUBISERVER]: 'not installed (Debian: yubiserver)' }),
    },
    notes: [
      'serve runs with its defaults, except for --address-limit 0 --client-limit 0, because all requests come from one address and one client.',
    ],
  });
} finally {
  for (const server of started) await server.stop();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
}
