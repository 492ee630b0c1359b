import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudVerifier, type CloudVerifierOptions, parseOtp } from 'passport-yubikey-otp';
import type { NewKey } from 'passport-yubikey-otp/stores';
import { expect, onTestFinished } from 'vitest';
import { type Ended, hex, run, start } from '../command.js';

export interface ServeOptions {
  /** The folder it works in. */
  cwd: string;
  env?: Record<string, string>;
}

/** A service that somebody started in a shell. */
export class Service {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;

  constructor(readonly child: ReturnType<typeof start>) {
    child.stdin.end();
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = once(child, 'close').then(([code]) => ({
      code,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** What it has logged so far. */
  get lines(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  /** Waits for a line that has all of this. */
  async line(fields: Record<string, unknown>): Promise<Record<string, unknown>> {
    const has = (line: Record<string, unknown>) =>
      Object.entries(fields).every(([name, value]) => line[name] === value);
    await this.until(() => this.lines.some(has), `a line with ${JSON.stringify(fields)}`);
    return this.lines.find(has) as Record<string, unknown>;
  }

  async says(text: string): Promise<void> {
    await this.until(() => this.stderr.includes(text), `"${text}" on standard error`);
  }

  /** Where it listens, by what it serves there. */
  urlOf(service: 'validation' | 'ksm' | 'metrics'): string {
    return this.lines.find((line) => line.msg === 'listening' && line.service === service)?.url as string;
  }

  get url(): string {
    return this.urlOf('validation') ?? this.urlOf('ksm');
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }

  private async until(isThere: () => boolean, what: string): Promise<void> {
    for (let tries = 0; !isThere(); tries++) {
      if (tries > 400 || this.child.exitCode !== null) {
        throw new Error(`The service did not tell ${what}:\n${this.stdout}${this.stderr}`);
      }
      await sleep(50);
    }
  }
}

/** Starts a service on a free port and waits until it listens. It ends with the test. */
export async function serve(args: readonly string[], options: ServeOptions): Promise<Service> {
  const place = args.includes('--port') ? [] : ['--port', '0'];
  const service = new Service(start(['serve', ...place, ...args], options));
  onTestFinished(async () => {
    service.child.kill('SIGKILL');
    await service.ended;
  });
  await service.says(args.includes('--no-validation') ? 'KSM: ' : 'Validation server: ');
  // The log is another stream, so its lines may come later.
  for (const served of args.includes('silent') ? [] : listServices(args)) {
    await service.line({ msg: 'listening', service: served });
  }
  return service;
}

function listServices(args: readonly string[]): string[] {
  return ['validation', 'ksm'].filter((name) => !args.includes(`--no-${name}`));
}

/** Starts a service that must not start. */
export function refused(args: readonly string[], options: ServeOptions): Promise<Ended> {
  return run(['serve', '--port', '0', ...args], options);
}

/** Stores keys as an administrator does. */
export async function store(keys: readonly NewKey[], options: ServeOptions): Promise<void> {
  const lines = keys.map(
    ({ publicId, privateId, aesKey }) => `0,${publicId},${hex(privateId)},${hex(aesKey)},,,\n`,
  );
  const ended = await run(['keys', 'import', '-'], { ...options, input: `# ykksm 1\n${lines.join('')}` });
  expect(ended).toMatchObject({ code: 0 });
}

/** The first client of a service that was started in this folder. */
export function firstClient(folder: string): { clientId: string; apiKey: string } {
  const text = readFileSync(join(folder, 'yubikey-otp.db.client-1'), 'utf8');
  const [, clientId, apiKey] = /^YUBIKEY_CLIENT_ID=(\d+)\nYUBIKEY_API_KEY=(\S+)\n$/.exec(text) ?? [];
  return { clientId: clientId as string, apiKey: apiKey as string };
}

/** What a service says of an OTP to the first client: OK, or the reason. */
export async function verdict(
  service: Service,
  client: { clientId: string; apiKey: string },
  otp: string,
  options: Partial<CloudVerifierOptions> = {},
): Promise<string> {
  const servers = [`${service.url.replace('127.0.0.1', 'localhost')}/wsapi/2.0/verify`];
  const verifier = new CloudVerifier({ ...client, servers, ...options });
  try {
    const verification = await verifier.verify(parseOtp(otp));
    return verification.ok ? 'OK' : verification.reason;
  } finally {
    await verifier.close();
  }
}
