import { setTimeout as sleep } from 'node:timers/promises';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect } from 'vitest';
import { run, temporaryFolder } from '../command.js';
import { type Service, serve, store } from './service.js';

/** What the three doors of a service say, and how long the slowest took. */
export interface Said {
  readonly validation: string;
  readonly rest: string;
  readonly wsapi: string;
  readonly milliseconds: number;
}

export const ACCEPTED = { validation: 'OK', rest: 'OK', wsapi: 'OK' };
export const FAULTS = {
  validation: 'BACKEND_ERROR',
  rest: 'STORAGE_ERROR',
  wsapi: 'ERR Database error',
};

/** A store's calls take five seconds at most; a busy machine may answer later. */
export const ANSWERED_MS = 8_000;
export const STOPPED_MS = 10_000;

/** What was read is kept for a second. */
const KEPT_MS = 1_100;

/** A service with a client and keys. */
export class Doors {
  private constructor(
    readonly service: Service,
    /** The folder it works in. */
    readonly cwd: string,
    readonly env: Record<string, string>,
    private readonly clientId: string,
    private readonly yubikeys: readonly [SoftYubikey, SoftYubikey, SoftYubikey],
  ) {}

  /** @param db A URL. Default: a new SQLite file. */
  static async open(
    db?: string,
    { env = {}, cwd = temporaryFolder() }: { env?: Record<string, string>; cwd?: string } = {},
  ): Promise<Doors> {
    const all = {
      YUBIKEY_MASTER_KEY: `one:${newMasterKey().toString('base64')}`,
      ...(db !== undefined && { YUBIKEY_DB: db }),
    };
    const yubikeys = [new SoftYubikey(), new SoftYubikey(), new SoftYubikey()] as const;
    const service = await serve([], { cwd, env: { ...all, ...env } });
    await store(yubikeys, { cwd, env: all });
    const made = await run(['clients', 'new', '--json'], { cwd, env: all });
    return new Doors(service, cwd, all, JSON.parse(made.stdout).id, [...yubikeys]);
  }

  /** Another service on the same database. */
  async again(): Promise<Doors> {
    const { cwd, env } = this;
    return new Doors(await serve([], { cwd, env }), cwd, env, this.clientId, this.yubikeys);
  }

  /** Asks each door at once, with a fresh OTP of a key of its own. */
  async ask(): Promise<Said> {
    const startedAt = performance.now();
    const [one, other, third] = this.yubikeys.map((yubikey) => yubikey.press()) as [string, string, string];
    const [validation, rest, wsapi] = await Promise.all([
      this.verify(one),
      this.decrypt(other),
      this.decryptByWsapi(third),
    ]);
    return { validation, rest, wsapi, milliseconds: performance.now() - startedAt };
  }

  press(): string {
    return this.yubikeys[0].press();
  }

  async verify(otp: string): Promise<string> {
    const nonce = Math.random().toString(36).slice(2).padEnd(20, '0');
    const query = `id=${this.clientId}&otp=${otp}&nonce=${nonce}`;
    const answer = await fetch(`${this.service.url}/wsapi/2.0/verify?${query}`);
    return /^status=(\S+)/m.exec(await answer.text())?.[1] as string;
  }

  async decrypt(otp: string): Promise<string> {
    const answer = await fetch(`${this.service.url}/api/v1/decrypt`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ otp }),
    });
    const { status, error_code } = (await answer.json()) as { status: string; error_code?: string };
    return error_code ?? status;
  }

  async decryptByWsapi(otp: string): Promise<string> {
    const text = await (await fetch(`${this.service.url}/wsapi/decrypt/?otp=${otp}`)).text();
    return text.startsWith('OK ') ? 'OK' : text.trim();
  }

  async status(): Promise<{ ready: number; health: string }> {
    const ready = (await fetch(`${this.service.url}/ready`)).status;
    const health = (await (await fetch(`${this.service.url}/health`)).json()) as {
      database: { status: string };
    };
    return { ready, health: health.database.status };
  }

  /** Waits until `/ready` and `/health` say so. */
  async becomes(what: 'ready' | 'unready', timeout = 20_000): Promise<void> {
    const wanted =
      what === 'ready' ? { ready: 200, health: 'connected' } : { ready: 503, health: 'disconnected' };
    await expect.poll(() => this.status(), { timeout }).toEqual(wanted);
  }

  /** Fails unless each door answers, with a fault and in time. */
  async expectFaults(): Promise<Said> {
    await sleep(KEPT_MS);
    const said = await this.ask();
    expect(said).toMatchObject(FAULTS);
    expect(said.milliseconds).toBeLessThan(ANSWERED_MS);
    return said;
  }

  /** @returns its exit code, null where it was killed. */
  async stop(): Promise<{ code: number | null; milliseconds: number }> {
    const startedAt = performance.now();
    const { code } = await this.service.stop();
    return { code, milliseconds: performance.now() - startedAt };
  }
}
