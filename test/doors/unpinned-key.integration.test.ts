import { describe, expect, it } from 'vitest';
import { parseOtp, pinPrivateId } from '../../src/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { type Ask, DOORS, type Said } from '../support/doors/doors.js';
import { FORGED_TOKENS, REFERENCE_AES_KEY } from '../support/ksm/forged.js';
import { STORES, type Stores } from '../support/server/ksm/stores.js';

const unpinned = ({ publicId, aesKey }: SoftYubikey) => ({ publicId, aesKey });
const withoutPins = DOORS.filter(({ pins }) => !pins);
const refusingReplays = DOORS.filter(({ isStateless }) => !isStateless);

/** The answers of a door to these OTPs, one after another. */
async function answers(ask: Ask, otps: readonly string[]): Promise<Said[]> {
  const all: Said[] = [];
  for (const otp of otps) all.push(await ask(otp));
  return all;
}

async function readPrivateId({ keys }: Stores, { publicId }: SoftYubikey): Promise<Uint8Array | undefined> {
  const key = await keys.get(publicId);
  return key?.privateId && Uint8Array.from(key.privateId);
}

describe.each(STORES.filter(({ name }) => ['memory', 'SQLite'].includes(name)))(
  'a key stored without a private ID, over $name',
  ({ open }) => {
    const allowUnpinnedKeys = false;

    async function storesWith(yubikey: SoftYubikey): Promise<Stores> {
      const stores = await open();
      await stores.keys.add(unpinned(yubikey));
      return stores;
    }

    const openAll = (doors: typeof DOORS, stores: Stores, options = { allowUnpinnedKeys }) =>
      Promise.all(doors.map(async (door) => ({ ...door, ask: await door.open(stores, options) })));

    it.each(withoutPins)('verifies nobody at $name, and nothing is stored', async (door) => {
      const yubikey = new SoftYubikey();
      const stores = await storesWith(yubikey);
      const ask = await door.open(stores, { allowUnpinnedKeys });
      const [first, second] = [yubikey.press(), yubikey.press()];
      const all = await answers(ask, [first, first, second, second, first]);
      expect(all).toEqual(Array(5).fill('UNPINNED'));
      expect((await stores.counters.list()).records).toEqual([]);
      expect(await readPrivateId(stores, yubikey)).toBeUndefined();
    });

    it('verifies nobody at REST until the second OTP, which pins the key for every door', async () => {
      const yubikey = new SoftYubikey();
      const stores = await storesWith(yubikey);
      const doors = await openAll(DOORS, stores);
      const rest = doors.find(({ pins }) => pins)?.ask as Ask;
      const [first, second] = [yubikey.press(), yubikey.press()];
      expect(await answers(rest, [first, first])).toEqual(['UNPINNED', 'REPLAYED']);
      expect(await readPrivateId(stores, yubikey)).toBeUndefined();
      for (const { pins, ask } of doors) if (!pins) expect(await ask(yubikey.press())).toBe('UNPINNED');
      expect(await answers(rest, [second, second, first])).toEqual(['OK', 'REPLAYED', 'REPLAYED']);
      expect(await readPrivateId(stores, yubikey)).toEqual(Uint8Array.from(yubikey.privateId));
      for (const { name, isStateless, ask } of doors) {
        if (!isStateless) expect(await answers(ask, [first, second]), name).toEqual(['REPLAYED', 'REPLAYED']);
        expect(await ask(yubikey.press()), name).toBe('OK');
        const { publicId, aesKey } = yubikey;
        expect(await ask(new SoftYubikey({ publicId, aesKey, usageCounter: 500 }).press())).toBe('CORRUPT');
      }
    });

    it.each(DOORS)('is verified at $name from the first OTP with allowUnpinnedKeys', async (door) => {
      const yubikey = new SoftYubikey();
      const stores = await storesWith(yubikey);
      const ask = await door.open(stores, { allowUnpinnedKeys: true });
      const [first, second] = [yubikey.press(), yubikey.press()];
      const again = door.isStateless ? 'OK' : 'REPLAYED';
      const all = await answers(ask, [first, first, second, second, first]);
      expect(all).toEqual(['OK', again, 'OK', again, again]);
      expect((await readPrivateId(stores, yubikey)) !== undefined).toBe(door.pins ?? false);
    });

    it.each(refusingReplays)(
      'has an OTP used up at every door once $name accepted it with allowUnpinnedKeys',
      async (door) => {
        const yubikey = new SoftYubikey();
        const stores = await storesWith(yubikey);
        const doors = await openAll(refusingReplays, stores, { allowUnpinnedKeys: true });
        const own = doors.find(({ name }) => name === door.name)?.ask as Ask;
        const otp = yubikey.press();
        expect(await own(otp)).toBe('OK');
        for (const { name, ask } of doors) expect(await ask(otp), name).toBe('REPLAYED');
        expect(await pinPrivateId(stores.keys, stores.counters, parseOtp(otp))).toBe('REPLAYED_OTP');
      },
    );

    it.each(['REST', 'an administrator'])(
      'has all OTPs that REST saw used up at every door once %s has pinned the key',
      async (who) => {
        const yubikey = new SoftYubikey();
        const stores = await storesWith(yubikey);
        const doors = await openAll(refusingReplays, stores);
        const rest = doors.find(({ pins }) => pins)?.ask as Ask;
        const [older, seen, last] = [yubikey.press(), yubikey.press(), yubikey.press()];
        expect(await rest(seen)).toBe('UNPINNED');
        if (who === 'REST') expect(await rest(last)).toBe('OK');
        else expect(await pinPrivateId(stores.keys, stores.counters, parseOtp(last))).toBe('PINNED');
        for (const { name, ask } of doors) {
          expect(await answers(ask, [older, seen, last]), name).toEqual(Array(3).fill('REPLAYED'));
        }
        for (const { name, ask } of doors) {
          const fresh = yubikey.press();
          expect(await ask(fresh), name).toBe('OK');
          for (const other of doors) expect(await other.ask(fresh), other.name).toBe('REPLAYED');
        }
      },
    );

    it.each(DOORS)(
      'is neither verified nor locked out at $name by tokens that pass the CRC by chance',
      async (door) => {
        const yubikey = new SoftYubikey({ publicId: 'cccccccccccc', aesKey: REFERENCE_AES_KEY });
        const stores = await storesWith(yubikey);
        const doors = await openAll(DOORS, stores);
        const own = doors.find(({ name }) => name === door.name)?.ask as Ask;
        const rest = doors.find(({ pins }) => pins)?.ask as Ask;
        const forged = FORGED_TOKENS.map((token) => `cccccccccccc${token}`);
        expect(await answers(own, forged)).toEqual(Array(forged.length).fill('UNPINNED'));
        expect(await stores.counters.get(yubikey.publicId)).toBeUndefined();
        expect(await readPrivateId(stores, yubikey)).toBeUndefined();
        expect(await answers(rest, [yubikey.press(), yubikey.press()])).toEqual(['UNPINNED', 'OK']);
        expect(await answers(own, forged)).toEqual(Array(forged.length).fill('CORRUPT'));
        expect(await own(yubikey.press())).toBe('OK');
      },
    );
  },
);
