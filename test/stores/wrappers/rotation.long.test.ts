import { expect, it } from 'vitest';
import { LocalKsm } from '../../../src/ksm/local-ksm.js';
import { parseOtp } from '../../../src/otp/otp.js';
import {
  type KeyRecord,
  Keyring,
  type KeyStore,
  newMasterKey,
  type ResealProgress,
  SealedKeyStore,
} from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { KsmVerifier } from '../../../src/verifiers/ksm-verifier.js';
import { openSharedStore } from '../../support/fixtures/shared-store.js';
import { Child } from '../../support/long/child.js';
import { repetitions } from '../../support/long/repetitions.js';
import { describeSharedStores } from '../../support/long/shared-stores.js';

const KEYS = repetitions(10_000, 1000);
const AT_ONCE = 100;

async function inChunks<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += AT_ONCE)
    await Promise.all(items.slice(at, at + AT_ONCE).map(work));
}

/** Disables a key, like an administrator while others write. */
async function disable(keys: KeyStore, publicId: string): Promise<void> {
  while (!(await keys.replace((await keys.get(publicId)) as KeyRecord, { active: false })));
}

type Said = ResealProgress & { isDone?: true | undefined };

describeSharedStores('a rotation of the master key', (newUrl) => {
  it(`reseals ${KEYS} keys while OTPs are verified, killed half-way and run again, without a failure`, async () => {
    const url = await newUrl();
    const [a, b] = [newMasterKey(), newMasterKey()];
    const newKeyring = (current: string, keys: Record<string, Buffer>) => new Keyring({ keys, current });
    const store = await openSharedStore(url);
    const yubikeys = Array.from({ length: KEYS }, () => new SoftYubikey());
    const sealedWithA = new SealedKeyStore(store.keys, newKeyring('a', { a }));
    await inChunks(yubikeys, async (yubikey) => void (await sealedWithA.add(yubikey)));

    const serving = new SealedKeyStore(store.keys, newKeyring('a', { a, b }));
    const verifier = new KsmVerifier({ ksm: new LocalKsm(serving), counters: store.counters });
    const disabled = new Set<string>();
    let verified = 0;
    let isResealing = true;
    const verifyAmong = async (own: readonly SoftYubikey[]) => {
      while (isResealing) {
        const yubikey = own[Math.floor(Math.random() * own.length)] as SoftYubikey;
        if (disabled.has(yubikey.publicId)) continue;
        expect(await verifier.verify(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
        verified++;
        if (verified % 20 === 0 && disabled.size < KEYS / 10) {
          disabled.add(yubikey.publicId);
          await disable(new SealedKeyStore(store.keys, newKeyring('b', { a, b })), yubikey.publicId);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    };

    const keyring = `b:${b.toString('base64')} a:${a.toString('base64')}`;
    /** Reseals in another process, which is killed once it has checked `killAt` keys. */
    const reseal = async (killAt = Number.POSITIVE_INFINITY): Promise<Said> => {
      const child = new Child('reseal', [url, keyring]);
      for (;;) {
        const line = await child.nextLine();
        if (line === undefined) throw new Error(`reseal ended with ${await child.end()}`);
        const said: Said = JSON.parse(line);
        if (said.isDone) return said;
        if (said.checked >= killAt) {
          await child.kill();
          return said;
        }
      }
    };
    const resealTwice = async () => {
      const killed = await reseal(KEYS / 2);
      expect(killed.isDone).toBeUndefined();
      const count = await countResealed(store.keys, newKeyring('b', { b }));
      const completed = await reseal();
      isResealing = false;
      return { killed, count, completed };
    };
    const [{ killed, count, completed }] = await Promise.all([
      resealTwice().finally(() => {
        isResealing = false;
      }),
      verifyAmong(yubikeys.slice(KEYS / 2)),
      verifyAmong(yubikeys.slice(0, KEYS / 2)),
    ]);

    expect(count).toBeGreaterThanOrEqual(killed.resealed);
    expect(completed.checked).toBe(KEYS);
    expect(count + completed.resealed).toBeLessThanOrEqual(KEYS);
    expect(count + completed.resealed).toBeGreaterThanOrEqual(KEYS - disabled.size);

    const [onlyA, onlyB] = [newKeyring('a', { a }), newKeyring('b', { b })].map(
      (ring) => new SealedKeyStore(store.keys, ring),
    ) as [SealedKeyStore, SealedKeyStore];
    await inChunks(yubikeys, async ({ publicId, aesKey, privateId }) => {
      await expect(onlyA.get(publicId)).rejects.toMatchObject({ code: 'MASTER_KEY_UNKNOWN' });
      const active = !disabled.has(publicId);
      const secrets = { aesKey: Buffer.from(aesKey), privateId: Buffer.from(privateId) };
      expect(await onlyB.get(publicId)).toMatchObject({ active, ...secrets });
    });
    expect(verified).toBeGreaterThan(KEYS / 100);
    console.log(
      `${KEYS} keys: ${count} resealed when it was killed, ${completed.resealed} by the next run; ` +
        `${verified} OTPs verified and ${disabled.size} keys disabled meanwhile, no failure`,
    );
    await store.close();
  });
});

async function countResealed(engine: KeyStore, ring: Keyring): Promise<number> {
  let count = 0;
  let after: string | undefined;
  do {
    const page = await engine.list({ after, limit: 500 });
    count += page.records.filter(({ aesKey }) => ring.isCurrent(aesKey)).length;
    after = page.next;
  } while (after !== undefined);
  return count;
}
