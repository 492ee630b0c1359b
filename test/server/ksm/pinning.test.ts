import { describe, expect, it } from 'vitest';
import { SoftYubikey } from '../../../src/testing/index.js';
import { FORGED_TOKENS, REFERENCE_AES_KEY } from '../../ksm/forged.js';
import { addKey, decrypt, deleteKey, ksmService, listKeys, refused, withoutPrivateId } from './service.js';
import { STORES } from './stores.js';

const [forged, laterForged] = FORGED_TOKENS.map((token) => `cccccccccccc${token}`) as [string, string];
const referenceKey = () => new SoftYubikey({ publicId: 'cccccccccccc', aesKey: REFERENCE_AES_KEY });

describe.each(STORES)('a key added without a private ID, over $name', ({ open }) => {
  async function serviceWith(yubikey: SoftYubikey) {
    const service = await ksmService({}, await open());
    await addKey(service, withoutPrivateId(yubikey)).expect(201);
    return service;
  }

  it('says private_id_checked from the second OTP on, and refuses replays all along', async () => {
    const yubikey = new SoftYubikey();
    const service = await serviceWith(yubikey);
    const otps = [yubikey.press(), yubikey.press(), yubikey.press()];
    for (const [n, otp] of otps.entries()) {
      const { body } = await decrypt(service, otp).expect(200);
      expect(body.private_id_checked).toBe(n > 0);
      for (const used of otps.slice(0, n + 1)) {
        await decrypt(service, used).expect(refused(409, 'REPLAY_DETECTED'));
      }
    }
  });

  it('is not taken over or locked by a token that passes the CRC by chance', async () => {
    const yubikey = referenceKey();
    const service = await serviceWith(yubikey);
    const first = await decrypt(service, forged).expect(200);
    expect(first.body.private_id_checked).toBe(false);
    await decrypt(service, forged).expect(refused(409, 'REPLAY_DETECTED'));
    const listed = await listKeys(service);
    expect(listed.body.keys).toMatchObject([{ private_id_known: false, usage_count: 0, last_used: null }]);

    const owner = await decrypt(service, yubikey.press()).expect(200);
    expect(owner.body.private_id_checked).toBe(false);
    const later = await decrypt(service, laterForged).expect(200);
    expect(later.body.private_id_checked).toBe(false);
    const pinned = await decrypt(service, yubikey.press()).expect(200);
    expect(pinned.body).toMatchObject({ counter: 1, session_use: 1, private_id_checked: true });

    const counters = await service.counters.get('cccccccccccc');
    for (const otp of [forged, laterForged]) {
      await decrypt(service, otp).expect(refused(422, 'DECRYPTION_FAILED'));
    }
    expect(await service.counters.get('cccccccccccc')).toEqual(counters);
    await decrypt(service, yubikey.press()).expect(200);
  });

  it('decrypts each OTP once, of fifty requests at once', async () => {
    const yubikey = new SoftYubikey();
    const service = await serviceWith(yubikey);
    for (let n = 0; n < 3; n++) {
      const otp = yubikey.press();
      const answers = await Promise.all(Array.from({ length: 50 }, () => decrypt(service, otp)));
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([200, ...Array(49).fill(409)]);
    }
  });

  it('keeps its OTPs used when it is deleted and added again', async () => {
    const yubikey = new SoftYubikey();
    const service = await serviceWith(yubikey);
    const otps = [yubikey.press(), yubikey.press()];
    for (const otp of otps) await decrypt(service, otp).expect(200);
    await deleteKey(service, yubikey.publicId).expect(200);
    await addKey(service, withoutPrivateId(yubikey)).expect(201);
    for (const otp of otps) await decrypt(service, otp).expect(refused(409, 'REPLAY_DETECTED'));
    await decrypt(service, yubikey.press()).expect(200);
  });
});
