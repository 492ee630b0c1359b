import { expect } from 'vitest';
import { LocalKsm } from '../../../src/ksm/local-ksm.js';
import { parseOtp } from '../../../src/otp/otp.js';
import { decryptToken } from '../../../src/otp/token.js';
import {
  type CounterStore,
  type KeyStore,
  type ListedCounters,
  newMasterKey,
  type Page,
  type PageOptions,
  parseKeyring,
  SealedKeyStore,
} from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { KsmVerifier } from '../../../src/verifiers/ksm-verifier.js';
import { openSharedStore } from '../fixtures/shared-store.js';

const KEYS = 32;
const order = ({ usageCounter, sessionUse }: { usageCounter: number; sessionUse: number }) =>
  256 * usageCounter + sessionUse;

async function all<T>(list: (options: PageOptions) => Promise<Page<T>>): Promise<T[]> {
  const found: T[] = [];
  let after: string | undefined;
  do {
    const page = await list({ after, limit: 500 });
    found.push(...page.records);
    after = page.next;
  } while (after !== undefined);
  return found;
}

/** Remembers what a store has confirmed, and checks that it still holds. */
export class Witness {
  readonly keyring = `test:${newMasterKey().toString('base64')}`;
  readonly accepted: string[] = [];
  readonly #yubikeys = new Map(
    Array.from({ length: KEYS }, () => new SoftYubikey()).map((yubikey) => [yubikey.publicId, yubikey]),
  );
  readonly #added = new Set<string>();
  #rows = new Map<string, ListedCounters>();

  constructor(readonly url: string) {}

  async addKeys(): Promise<void> {
    await this.#withStore(async ({ keys }) => {
      for (const yubikey of this.#yubikeys.values()) await keys.add(yubikey);
    });
    for (const publicId of this.#yubikeys.keys()) this.#added.add(publicId);
  }

  /** The states of the keys, as JSON for a program that types new OTPs, after `usageCounter` power-ups. */
  states(usageCounter: number): string {
    return JSON.stringify([...this.#yubikeys.values()].map((it) => pluggedIn(it, usageCounter)));
  }

  /** Records the output of `verify-until-killed`, fails for wrong verdicts, and returns the accepted OTPs. */
  hear(lines: readonly string[]): string[] {
    const said = (word: string) => lines.filter((line) => line.startsWith(`${word} `));
    expect(said('WRONG')).toEqual([]);
    for (const line of said('FAILED')) expect(line).toMatch(/^FAILED (STORE_FAILED|ANSWER_LOST) 503$/);
    const accepted = said('OK').map((line) => line.slice('OK '.length));
    this.accepted.push(...accepted);
    for (const line of said('KEY')) this.#added.add(line.slice('KEY '.length));
    expect(new Set(this.accepted).size).toBe(this.accepted.length);
    return accepted;
  }

  /** Checks that no key is lost, no counter is lost or lower, and none of these OTPs is accepted again. */
  async check(accepted: readonly string[]): Promise<void> {
    await this.#withStore(async ({ keys, counters, verifier }) => {
      const rows = new Map((await all((page) => counters.list(page))).map((row) => [row.publicId, row]));
      for (const [publicId, before] of this.#rows) {
        expect(order(rows.get(publicId) as ListedCounters), publicId).toBeGreaterThanOrEqual(order(before));
      }
      for (const otp of accepted) {
        const { publicId, token } = parseOtp(otp);
        const typed = decryptToken(token, (this.#yubikeys.get(publicId) as SoftYubikey).aesKey)?.counters;
        if (!typed) throw new Error('an OTP of another key was accepted');
        expect(order(rows.get(publicId) as ListedCounters), otp).toBeGreaterThanOrEqual(order(typed));
      }
      const stored = new Set((await all((page) => keys.list(page))).map(({ publicId }) => publicId));
      expect([...this.#added].filter((publicId) => !stored.has(publicId))).toEqual([]);
      this.#rows = rows;
      for (const otp of accepted) {
        expect(await verifier.verify(parseOtp(otp)), otp).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
      }
    });
  }

  /** Checks that a new OTP is accepted. */
  async checkWorks(usageCounter: number): Promise<void> {
    await this.#withStore(async ({ verifier }) => {
      const [yubikey] = this.#yubikeys.values();
      const otp = pluggedIn(yubikey as SoftYubikey, usageCounter).press();
      expect(await verifier.verify(parseOtp(otp))).toMatchObject({ ok: true });
      this.accepted.push(otp);
    });
  }

  get keys(): number {
    return this.#added.size;
  }

  async #withStore(
    work: (store: { keys: KeyStore; counters: CounterStore; verifier: KsmVerifier }) => Promise<void>,
  ): Promise<void> {
    const store = await openSharedStore(this.url);
    try {
      const keys = new SealedKeyStore(store.keys, parseKeyring(this.keyring));
      const { counters } = store;
      await work({ keys, counters, verifier: new KsmVerifier({ ksm: new LocalKsm(keys), counters }) });
    } finally {
      await store.close();
    }
  }
}

function pluggedIn({ publicId, privateId, aesKey }: SoftYubikey, usageCounter: number): SoftYubikey {
  return new SoftYubikey({ publicId, privateId, aesKey, usageCounter });
}
