import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inspect } from 'node:util';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect } from 'vitest';
import { freePort } from '../../../../../test/support/programs.js';
import { run, temporaryFolder } from '../../command.js';
import { store } from '../../serve/service.js';
import { Instance } from './instance.js';
import { Leaks } from './leaks.js';

export const NO_LIMITS = ['--address-limit', '0', '--client-limit', '0', '--replay-limit', '0'];

/** A database with keys and one client, and all services that were started over it. */
export class Site {
  readonly folder = temporaryFolder();
  readonly masterKey = newMasterKey();
  readonly managementToken = 'canary-token-7c1e9b52d0a84f36';
  readonly yubikeys: readonly SoftYubikey[];
  private readonly otps: string[] = [];
  private readonly logs: string[] = [];
  private readonly told: string[] = [];
  clientId = '';
  apiKey = new Uint8Array();

  private constructor(
    private readonly db: string,
    keys: number,
  ) {
    this.yubikeys = Array.from({ length: keys }, () => new SoftYubikey());
  }

  /** @param db a URL, or the name of a SQLite file in a folder of its own. */
  static async open(db: string, { keys }: { keys: number }): Promise<Site> {
    const site = new Site(db, keys);
    const made = await run(['clients', 'new', '--json'], site.options);
    expect(made.code).toBe(0);
    const { id, apiKey } = JSON.parse(made.stdout);
    site.clientId = id;
    site.apiKey = Buffer.from(apiKey, 'base64');
    await store(site.yubikeys, site.options);
    return site;
  }

  get options() {
    const env = {
      YUBIKEY_DB: this.db,
      YUBIKEY_MASTER_KEY: `long:${this.masterKey.toString('base64')}`,
      YUBIKEY_MANAGEMENT_TOKEN: this.managementToken,
    };
    return { cwd: this.folder, env };
  }

  /** Starts a service that logs all there is to log, on a port that may be given. */
  async start(args: readonly string[], port?: number): Promise<Instance> {
    const log = join(this.folder, `${this.logs.length}.log`);
    this.logs.push(log);
    const place = { port: port ?? (await freePort()), log, ...this.options };
    return Instance.start(['--log-level', 'debug', ...args], place);
  }

  /** A fresh OTP, which no log may hold. */
  press(yubikey: SoftYubikey): string {
    return this.hide(yubikey.press());
  }

  /** An OTP made otherwise, which no log may hold either. */
  hide(otp: string): string {
    this.otps.push(otp);
    return otp;
  }

  /** Keeps what a service or a library told besides its log, to search it too. */
  tell(what: unknown): void {
    this.told.push(typeof what === 'string' ? what : inspect(what, { depth: 8 }));
  }

  /** How often each status stands in the log lines of a service, over all of its processes. */
  async logged(service: 'validation' | 'ksm'): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const log of this.logs) {
      for await (const line of createInterface({ input: createReadStream(log) })) {
        // What it says to people is no JSON.
        const { service: of, status } = line.startsWith('{') ? JSON.parse(line) : {};
        if (of === service && status) counts[status] = (counts[status] ?? 0) + 1;
      }
    }
    return counts;
  }

  /** Searches all that was logged and told for every secret there is. */
  async expectNoLeaks(): Promise<void> {
    const leaks = new Leaks();
    for (const log of this.logs) await leaks.readFile(log);
    for (const text of this.told) leaks.read(text);
    const secrets: Record<string, Uint8Array> = {
      'API key': this.apiKey,
      'master key': this.masterKey,
      'management token': Buffer.from(this.managementToken),
    };
    for (const { publicId, aesKey, privateId } of this.yubikeys) {
      secrets[`AES key of ${publicId}`] = aesKey;
      secrets[`private ID of ${publicId}`] = privateId;
    }
    expect(leaks.of(secrets, this.otps)).toEqual([]);
    const megabytes = (leaks.length / 1e6).toFixed(1);
    console.log(`${leaks.lines} lines, ${megabytes} MB, searched for ${this.otps.length} OTPs: no secret`);
  }
}
