import { MemoryStore } from 'passport-yubikey-otp/stores';
import { describe, expect, it } from 'vitest';
import { importKey } from '../../src/transfer/import-records.js';
import type { KeyEntry } from '../../src/transfer/key-columns.js';

const entry: KeyEntry = {
  publicId: 'vvcc',
  aesKey: Buffer.alloc(16, 1),
  privateId: Buffer.alloc(6, 1),
  notes: '',
  active: true,
  hasAccessCode: false,
};

describe('importKey, if the public ID is taken by', () => {
  it.each<[string, Partial<KeyEntry>, Partial<KeyEntry>, string | undefined]>([
    ['the same key', {}, {}, undefined],
    ['a key without a private ID', {}, { privateId: undefined }, undefined],
    ['a key that is disabled here', { active: false }, {}, undefined],
    ['a key that is disabled in both', { active: false }, { active: false }, undefined],
    ['a key that is disabled in the file', {}, { active: false }, 'yubikey-otp keys disable vvcc'],
    ['a private ID that is missing here', { privateId: undefined }, {}, 'yubikey-otp keys pin vvcc'],
    ['another private ID', { privateId: Buffer.alloc(6, 2) }, {}, 'needs another public ID'],
    ['another AES key', { aesKey: Buffer.alloc(16, 2) }, {}, 'needs another public ID'],
  ])('%s, says what to do, never advises deleting, and changes nothing', async (_, stored, change, says) => {
    const { keys } = new MemoryStore();
    await keys.add({ ...entry, ...stored });
    const before = await keys.get('vvcc');
    const { problem } = await importKey(keys, { ...entry, ...change });
    if (says === undefined) expect(problem).toBeUndefined();
    else expect(problem).toContain(says);
    expect(problem ?? '').not.toContain('delete');
    expect(await keys.get('vvcc')).toEqual(before);
  });
});
