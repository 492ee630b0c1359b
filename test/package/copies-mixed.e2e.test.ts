import express from 'express';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Copy, type CopyName, loadCopies, PAIRS } from '../support/package/copies.js';
import { Machine } from '../support/package/machine.js';
import { logIn, signInApp } from '../support/passport/app.js';

let machine: Machine;
let copies: Record<CopyName, Copy>;
beforeAll(async () => {
  machine = new Machine(inject('registry'));
  copies = await loadCopies(machine);
}, 120_000);
afterAll(() => machine.remove());

const PARTS = ['store', 'keyring', 'sealed', 'cached', 'ksm', 'verifier', 'strategy'] as const;
type Mix = Record<(typeof PARTS)[number], Copy>;

/** Every way to take each part from one of two copies. */
function listMixes(one: Copy, other: Copy): Mix[] {
  return Array.from({ length: 2 ** PARTS.length }, (_, bits) => {
    const chosen = PARTS.map((part, index) => [part, bits & (1 << index) ? one : other]);
    return Object.fromEntries(chosen) as Mix;
  });
}

/** A store with a key that is sealed with a known master key, and one that is sealed with an unknown master key. */
async function sealTwoKeys({ store, keyring, sealed }: Pick<Mix, 'store' | 'keyring' | 'sealed'>) {
  const { keys, counters } = new store.MemoryStore();
  const [masterKey, lost] = [keyring.newMasterKey(), keyring.newMasterKey()];
  const known = new keyring.Keyring({ keys: { 2026: masterKey }, current: '2026' });
  const unknown = new keyring.Keyring({ keys: { 2025: lost }, current: '2025' });
  const [readable, unreadable] = [new store.SoftYubikey(), new store.SoftYubikey()];
  await new sealed.SealedKeyStore(keys, known).add(readable);
  await new sealed.SealedKeyStore(keys, unknown).add(unreadable);
  return { keys, counters, masterKey, known, readable, unreadable };
}

describe.each(PAIRS.filter((_, index) => index % 2 === 0))('with parts of %s and of %s', (one, other) => {
  it('a sign-in ends with the same status in every mix of them', async () => {
    const mixes = listMixes(copies[one], copies[other]);
    expect(mixes).toHaveLength(128);
    for (const mix of mixes) {
      const { keys, counters, known, readable, unreadable } = await sealTwoKeys(mix);
      const sealed = new mix.sealed.SealedKeyStore(keys, known);
      const ksm = new mix.ksm.LocalKsm(new mix.cached.CachedKeyStore(sealed));
      const verifier = new mix.verifier.KsmVerifier({ ksm, counters });
      const strategy = new mix.strategy.YubikeyStrategy({ verifier }, ({ publicId }) => ({ id: publicId }));
      const { app } = signInApp(express, strategy);

      const otp = readable.press();
      await logIn(app, { otp }).expect(200, { id: readable.publicId });
      await logIn(app, { otp }).expect(401);
      await logIn(app, { otp: unreadable.press() }).expect(500, { code: 'MASTER_KEY_UNKNOWN' });
    }
  });

  it('reseal() goes on past records that do not open in every mix of them, and names them', async () => {
    for (const mix of listMixes(copies[one], copies[other])) {
      const { keys, masterKey, readable, unreadable } = await sealTwoKeys(mix);
      const next = { 2026: masterKey, 2027: mix.keyring.newMasterKey() };
      const keyring = new mix.keyring.Keyring({ keys: next, current: '2027' });
      await expect(new mix.sealed.SealedKeyStore(keys, keyring).reseal()).rejects.toMatchObject({
        code: 'MASTER_KEY_UNKNOWN',
        message: expect.stringContaining(`Not resealed: yubikey ${unreadable.publicId} (1 in all)`),
      });
      const resealed = await keys.get(readable.publicId);
      expect(mix.keyring.masterKeyIdOf(resealed?.aesKey as Uint8Array)).toBe('2027');
    }
  });
});
