import { type ChildProcess, execFile, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Contestant, compare, ratio } from './compare.js';
import { Otps } from './otps.js';
import { keepReport } from './report.js';

/** Measures sign-ins per second at an Express app whose verifier and user lookup answer immediately. */
const SECONDS = 3;
const CONNECTIONS = 64;
const SERVER = fileURLToPath(new URL('./strategy/server.ts', import.meta.url));
const SCRIPT = fileURLToPath(new URL('./strategy/sign-in.lua', import.meta.url));

if (spawnSync('wrk', ['--version']).error) throw new Error('wrk is not installed (Debian: wrk)');
const folder = mkdtempSync(join(tmpdir(), 'bench-strategy-'));
const otps = new Otps(1_000).take(10_000);
const servers: ChildProcess[] = [];

async function contestant(
  name: string,
  way: string,
  formatForm: (otp: string) => string,
): Promise<Contestant> {
  const forms = join(folder, way);
  writeFileSync(forms, otps.map((otp) => `${otp.slice(0, 12)} ${formatForm(otp)}\n`).join(''));
  const env = { ...process.env, NODE_ENV: 'production' };
  const server = fork(SERVER, [way], { execArgv: ['--import', 'tsx'], env });
  servers.push(server);
  const [port] = await once(server, 'message');
  const measure = async () => {
    const before = await processorTime(server);
    const { ok, ...figures } = await load(`http://127.0.0.1:${port}`, forms);
    return { ...figures, 'processor, µs each': ((await processorTime(server)) - before) / ok };
  };
  return { name, measure };
}

async function processorTime(server: ChildProcess): Promise<number> {
  server.send('processor time');
  const [{ user, system }] = await once(server, 'message');
  return user + system;
}

async function load(url: string, forms: string) {
  const options = ['--threads=1', `--connections=${CONNECTIONS}`, `--duration=${SECONDS}s`, '--timeout=10s'];
  const { stderr } = await promisify(execFile)('wrk', [...options, `--script=${SCRIPT}`, url, '--', forms]);
  const { ok, wrong, broken, seconds, p99, firstWrong } = JSON.parse(stderr);
  if (wrong > 0 || broken > 0) throw new Error(`${wrong} wrong answers (${firstWrong}), ${broken} broke off`);
  return { ok, 'per second': ok / seconds, 'p99, ms': p99 };
}

const passwordForm = (otp: string) => `username=${otp.slice(0, 12)}&password=${otp.slice(12)}`;

try {
  const ours = await contestant('YubikeyStrategy', 'yubikey', (otp) => `otp=${otp}`);
  const local = await contestant('passport-local', 'local', passwordForm);
  const none = await contestant('limit: without Passport', 'none', passwordForm);
  const measured = await compare([local, ours, none]);
  keepReport({
    bench: 'strategy',
    measured,
    goals: [
      {
        what: 'YubikeyStrategy, of passport-local',
        reached: ratio(measured, 'per second', ours.name, local.name),
        atLeast: 0.9,
      },
    ],
  });
} finally {
  for (const server of servers) server.disconnect();
  rmSync(folder, { recursive: true });
}
