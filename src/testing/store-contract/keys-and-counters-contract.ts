import assert from 'node:assert/strict';
import { LocalKsm } from '../../ksm/local-ksm.js';
import { parseOtp } from '../../otp/otp.js';
import type { KeyStore } from '../../stores/store.js';
import { KsmVerifier } from '../../verifiers/ksm-verifier.js';
import { assertMatch } from '../assertions.js';
import { SoftYubikey, type SoftYubikeyOptions } from '../soft-yubikey.js';
import type { DefineTest } from '../test-runner.js';
import { assertVerdicts, toVerdict } from '../verdicts.js';
import type { OpenStore } from './open-store.js';

const createVerifier = ({ keys, counters }: OpenStore) =>
  new KsmVerifier({ ksm: new LocalKsm(keys), counters });

async function addKey(keys: KeyStore, options: SoftYubikeyOptions = {}): Promise<SoftYubikey> {
  const yubikey = new SoftYubikey(options);
  assert.equal(await keys.add(yubikey), true);
  return yubikey;
}

export function describeKeysAndCounters(it: DefineTest<OpenStore>): void {
  it('one OTP sent fifty times at once is accepted once', async (store) => {
    const otp = parseOtp((await addKey(store.keys)).press());
    const all = Array.from({ length: 50 }, () => createVerifier(store).verify(otp));
    assertVerdicts(await Promise.all(all), { OK: 1, REPLAYED_OTP: 49 });
  });

  it('one OTP sent fifty times at once with one nonce is accepted once', async (store) => {
    const otp = parseOtp((await addKey(store.keys)).press());
    const nonce = 'a'.repeat(32);
    const all = Array.from({ length: 50 }, () => createVerifier(store).verify(otp, { nonce }));
    assertVerdicts(await Promise.all(all), { OK: 1, REPLAYED_REQUEST: 49 });
  });

  it('OTPs of different keys that are sent at once do not affect each other', async (store) => {
    const publicIds = ['', 'c', 'cc', 'vvcccccccccb', 'cccccccccccccccc'];
    const yubikeys = await Promise.all(publicIds.map((publicId) => addKey(store.keys, { publicId })));
    for (const round of [1, 2, 3]) {
      const otps = yubikeys.map((yubikey) => parseOtp(yubikey.press()));
      const all = await Promise.all([...otps, ...otps].map((otp) => createVerifier(store).verify(otp)));
      const count = yubikeys.length;
      assertVerdicts(all, { OK: count, REPLAYED_OTP: count }, `round ${round}`);
      for (const { publicId, counters } of yubikeys) {
        assertMatch(await store.counters.get(publicId), { ...counters, acceptedCount: round });
      }
    }
  });

  it('different OTPs of one key that are sent at once leave the newest counters, whichever are accepted', async (store) => {
    const yubikey = await addKey(store.keys);
    const otps = Array.from({ length: 20 }, () => parseOtp(yubikey.press()));
    const all = await Promise.all(otps.toReversed().map((otp) => createVerifier(store).verify(otp)));
    const acceptedCount = all.filter(({ ok }) => ok).length;
    assert.ok(acceptedCount >= 1, 'at least one is accepted');
    assertMatch(await store.counters.get(yubikey.publicId), { ...yubikey.counters, acceptedCount });
  });

  it('a deleted key keeps its counters: its used OTPs stay used when it is added again', async (store) => {
    const yubikey = await addKey(store.keys);
    const verdict = async (typed: string) => toVerdict(await createVerifier(store).verify(parseOtp(typed)));
    const otp = yubikey.press();
    assert.equal(await verdict(otp), 'OK');
    await store.keys.delete(yubikey.publicId);
    assert.equal(await verdict(otp), 'BAD_OTP');
    await store.keys.add(yubikey);
    assert.equal(await verdict(otp), 'REPLAYED_OTP');
    assert.equal(await verdict(yubikey.press()), 'OK');
  });
}
