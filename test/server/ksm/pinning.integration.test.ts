import { describe, expect, it } from 'vitest';
import { SqliteStore } from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { FORGED_TOKENS, REFERENCE_AES_KEY } from '../../support/ksm/forged.js';
import {
  addKey,
  decrypt,
  deleteKey,
  ksmService,
  listKeys,
  refused,
  withoutPrivateId,
} from '../../support/server/ksm/service.js';
import { STORES } from '../../support/server/ksm/stores.js';
import { drivers, openFor, type SqliteDriver, temporaryFile } from '../../support/stores/sqlite-drivers.js';

const [forged, laterForged] = FORGED_TOKENS.map((token) => `cccccccccccc${token}`) as [string, string];
const referenceKey = () => new SoftYubikey({ publicId: 'cccccccccccc', aesKey: REFERENCE_AES_KEY });

describe.each(STORES)('a key added without a private ID, over $name', ({ open }) => {
  async function serviceWith(yubikey: SoftYubikey) {
    const service = await ksmService({}, await open());
    await addKey(service, withoutPrivateId(yubikey)).expect(201);
    return service;
  }

  it('asks for another touch after the first OTP, decrypts from the second on, and refuses all replays', async () => {
    const yubikey = new SoftYubikey();
    const service = await serviceWith(yubikey);
    const otps = [yubikey.press(), yubikey.press(), yubikey.press()];
    for (const [n, otp] of otps.entries()) {
      if (n === 0) {
        await decrypt(service, otp).expect(refused(422, 'PRIVATE_ID_UNKNOWN'));
      } else {
        const { body } = await decrypt(service, otp).expect(200);
        expect(body.private_id_checked).toBe(true);
      }
      for (const used of otps.slice(0, n + 1)) {
        await decrypt(service, used).expect(refused(409, 'REPLAY_DETECTED'));
      }
    }
  });

  it('is neither taken over nor locked by a random token that passes the CRC', async () => {
    const yubikey = referenceKey();
    const service = await serviceWith(yubikey);
    await decrypt(service, forged).expect(refused(422, 'PRIVATE_ID_UNKNOWN'));
    await decrypt(service, forged).expect(refused(409, 'REPLAY_DETECTED'));
    const listed = await listKeys(service);
    expect(listed.body.keys).toMatchObject([{ private_id_known: false, usage_count: 0, last_used: null }]);

    await decrypt(service, yubikey.press()).expect(refused(422, 'PRIVATE_ID_UNKNOWN'));
    await decrypt(service, laterForged).expect(refused(422, 'PRIVATE_ID_UNKNOWN'));
    const pinned = await decrypt(service, yubikey.press()).expect(200);
    expect(pinned.body).toMatchObject({ counter: 1, session_use: 1, private_id_checked: true });

    const counters = await service.counters.get('cccccccccccc');
    for (const otp of [forged, laterForged]) {
      await decrypt(service, otp).expect(refused(422, 'DECRYPTION_FAILED'));
    }
    expect(await service.counters.get('cccccccccccc')).toEqual(counters);
    await decrypt(service, yubikey.press()).expect(200);
  });

  it('decrypts each OTP but the first exactly once, of fifty simultaneous requests to two services', async () => {
    const yubikey = new SoftYubikey();
    const service = await serviceWith(yubikey);
    const other = await ksmService({}, service);
    for (const once of [422, 200, 200]) {
      const otp = yubikey.press();
      const all = Array.from({ length: 50 }, (_, n) => decrypt(n % 2 ? service : other, otp));
      const statuses = (await Promise.all(all)).map(({ status }) => status);
      expect(statuses.sort()).toEqual([once, ...Array(49).fill(409)].sort());
    }
  });

  it('refuses its used OTPs after it was deleted and added again', async () => {
    const yubikey = new SoftYubikey();
    const service = await serviceWith(yubikey);
    const otps = [yubikey.press(), yubikey.press()];
    for (const [n, otp] of otps.entries()) await decrypt(service, otp).expect(n === 0 ? 422 : 200);
    await deleteKey(service, yubikey.publicId).expect(200);
    await addKey(service, withoutPrivateId(yubikey)).expect(201);
    for (const otp of otps) await decrypt(service, otp).expect(refused(409, 'REPLAY_DETECTED'));
    await decrypt(service, yubikey.press()).expect(200);
  });

  it('with allowUnpinnedKeys decrypts the first OTP too, is pinned by the second, and refuses all replays', async () => {
    const yubikey = new SoftYubikey();
    const service = await ksmService({ allowUnpinnedKeys: true }, await open());
    await addKey(service, withoutPrivateId(yubikey)).expect(201);
    for (let n = 0; n < 3; n++) {
      const otp = yubikey.press();
      const { body } = await decrypt(service, otp).expect(200);
      expect(body.private_id_checked).toBe(n > 0);
      await decrypt(service, otp).expect(refused(409, 'REPLAY_DETECTED'));
    }
  });

  it.each(['true', 1, {}])('ignores allowUnpinnedKeys %j', async (allowUnpinnedKeys) => {
    const yubikey = new SoftYubikey();
    const service = await ksmService({ allowUnpinnedKeys: allowUnpinnedKeys as boolean }, await open());
    await addKey(service, withoutPrivateId(yubikey)).expect(201);
    await decrypt(service, yubikey.press()).expect(refused(422, 'PRIVATE_ID_UNKNOWN'));
  });
});

it('a service that opens the same file later is not pinned by the same OTP, nor by an older one', async () => {
  const yubikey = new SoftYubikey();
  const file = temporaryFile();
  async function started() {
    const store = new SqliteStore({ database: openFor(drivers[0] as SqliteDriver, file) });
    await store.migrate();
    return ksmService({}, store);
  }
  const first = await started();
  await addKey(first, withoutPrivateId(yubikey)).expect(201);
  const [older, otp] = [yubikey.press(), yubikey.press()];
  await decrypt(first, otp).expect(refused(422, 'PRIVATE_ID_UNKNOWN'));
  const second = await started();
  for (const used of [otp, older]) await decrypt(second, used).expect(refused(409, 'REPLAY_DETECTED'));
  expect((await second.keys.get(yubikey.publicId))?.privateId).toBeUndefined();
  await decrypt(await started(), yubikey.press()).expect(200);
});
