import { describe, expect, it } from 'vitest';
import { TokenDeciphers } from '../../src/ksm/token-deciphers.js';

const AES_KEY = Buffer.alloc(16, 7);
const createKey = (n: number) => ({ publicId: String(n), aesKey: AES_KEY });

describe('TokenDeciphers', () => {
  it('keeps the ciphers of 2,000 keys, and no more', () => {
    const deciphers = new TokenDeciphers();
    const all = Array.from({ length: 2_000 }, (_, n) => deciphers.findOrCreate(createKey(n)));
    expect(deciphers.findOrCreate(createKey(0))).toBe(all[0]);
    deciphers.findOrCreate(createKey(2_000));
    expect(deciphers.findOrCreate(createKey(1))).toBe(all[1]);
    expect(deciphers.findOrCreate(createKey(1_999))).toBe(all[1_999]);
    expect(deciphers.findOrCreate(createKey(0))).not.toBe(all[0]);
  });

  it('creates a cipher for another AES key of a key, and keeps only that', () => {
    const deciphers = new TokenDeciphers();
    const first = deciphers.findOrCreate(createKey(1));
    const second = deciphers.findOrCreate({ publicId: '1', aesKey: Buffer.alloc(16, 8) });
    expect(second).not.toBe(first);
    expect(deciphers.findOrCreate({ publicId: '1', aesKey: Buffer.alloc(16, 8) })).toBe(second);
    expect(deciphers.findOrCreate(createKey(1))).not.toBe(first);
  });

  it('forgets one key or all keys', () => {
    const deciphers = new TokenDeciphers();
    const [one, other] = [deciphers.findOrCreate(createKey(1)), deciphers.findOrCreate(createKey(2))];
    deciphers.forget('1');
    expect(deciphers.findOrCreate(createKey(1))).not.toBe(one);
    expect(deciphers.findOrCreate(createKey(2))).toBe(other);
    deciphers.forgetAll();
    expect(deciphers.findOrCreate(createKey(2))).not.toBe(other);
  });
});
