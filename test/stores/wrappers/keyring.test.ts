import { createCipheriv, hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isMasterKeyId,
  Keyring,
  masterKeyIdOf,
  newMasterKey,
  parseKeyring,
  type SealedKind,
} from '../../../src/stores/index.js';
import { bytes } from '../../support/arbitraries.js';

const ROW = 'vvcbdefghijk';
const SECRET = Buffer.from('a secret of some length');
const master = (byte: number) => Buffer.alloc(32, byte);
const ring = (id = 'one', key: Uint8Array = master(1)) => new Keyring({ keys: { [id]: key }, current: id });

const BROKEN = { name: 'YubikeyError', code: 'SEAL_BROKEN', status: 500 };

function catchError(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

const kind = fc.constantFrom<SealedKind>('yubikey', 'client');
const keyId = fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/);
const secret = fc.uint8Array({ maxLength: 200 });

describe('masterKeyIdOf', () => {
  it('returns the id of the master key that sealed a secret, or undefined if it is not sealed', () => {
    fc.assert(
      fc.property(keyId, secret, (id, secret) => {
        expect(masterKeyIdOf(ring(id).seal('yubikey', ROW, secret))).toBe(id);
      }),
    );
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(16), master(1), Buffer.from([1, 9, 0x61])])
      expect(masterKeyIdOf(bytes)).toBeUndefined();
  });
});

describe('isMasterKeyId', () => {
  it.each(['a', '2026', 'A_b-9', '__proto__', 'x'.repeat(32)])('accepts %j, as a keyring does', (id) => {
    expect(isMasterKeyId(id)).toBe(true);
    expect(() => ring(id)).not.toThrow();
  });

  it.each(['', 'a b', 'a:b', 'a,b', 'ä', 'a\n', 'x'.repeat(33)])('refuses %j, as a keyring does', (id) => {
    expect(isMasterKeyId(id)).toBe(false);
    expect(() => ring(id)).toThrow(TypeError);
  });

  it.each([undefined, null, 2026, ['a']])('refuses %j, which is not text', (value) => {
    expect(isMasterKeyId(value)).toBe(false);
  });
});

describe('Keyring', () => {
  it('opens secrets that it sealed, for any secret, row and master key id', () => {
    fc.assert(
      fc.property(
        kind,
        keyId,
        bytes(32),
        fc.string({ maxLength: 20 }),
        secret,
        (kind, id, key, row, secret) => {
          const keyring = ring(id, key);
          expect(keyring.open(kind, row, keyring.seal(kind, row, secret))).toEqual(Buffer.from(secret));
        },
      ),
    );
  });

  it('opens secrets sealed with any of its master keys, and seals with the current one', () => {
    const keys = { old: master(1), new: master(2) };
    const both = new Keyring({ keys, current: 'new' });
    const old = ring('old', keys.old).seal('yubikey', ROW, SECRET);
    expect(both.open('yubikey', ROW, old)).toEqual(SECRET);
    expect(both.isCurrent(old)).toBe(false);
    const sealed = both.seal('yubikey', ROW, SECRET);
    expect(both.isCurrent(sealed)).toBe(true);
    expect(ring('new', keys.new).open('yubikey', ROW, sealed)).toEqual(SECRET);
  });

  it('seals the same secret differently each time', () => {
    const keyring = ring();
    const sealed = Array.from({ length: 100 }, () => keyring.seal('yubikey', ROW, SECRET).toString('hex'));
    expect(new Set(sealed).size).toBe(100);
  });

  it('does not open a secret sealed with another master key of the same id', () => {
    const sealed = ring('one', master(1)).seal('yubikey', ROW, SECRET);
    const error = catchError(() => ring('one', master(2)).open('yubikey', ROW, sealed)) as Error;
    expect(error).toMatchObject(BROKEN);
    expect(error.message).toMatch(
      /was sealed with a different master key of the same id, which alone opens it$/,
    );
  });

  it('names the missing master key', () => {
    const sealed = ring('one').seal('client', '87', SECRET);
    expect(catchError(() => ring('two').open('client', '87', sealed))).toMatchObject({
      name: 'YubikeyError',
      code: 'MASTER_KEY_UNKNOWN',
      status: 500,
      message: 'The client 87 is sealed with master key one, which is not in the keyring: add it',
    });
  });

  it('does not open a secret in another row or as another kind', () => {
    const sealed = ring().seal('client', '87', SECRET);
    for (const [kind, row] of [
      ['client', '88'],
      ['client', ''],
      ['client', '87\0'],
      ['yubikey', '87'],
    ] as const) {
      expect(catchError(() => ring().open(kind, row, sealed))).toMatchObject(BROKEN);
    }
  });

  it('does not open a secret that is truncated, extended, or has one bit flipped', () => {
    const sealed = ring().seal('yubikey', ROW, SECRET);
    const edited: Buffer[] = [Buffer.concat([sealed, Buffer.of(0)])];
    for (let length = 0; length < sealed.length; length++) edited.push(sealed.subarray(0, length));
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      edited.push(flipped);
    }
    for (const blob of edited) {
      const error = catchError(() => ring().open('yubikey', ROW, blob));
      expect(error).toMatchObject({ name: 'YubikeyError' });
      expect(['SEAL_BROKEN', 'MASTER_KEY_UNKNOWN']).toContain((error as { code: string }).code);
    }
  });

  it('does not open plain or random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (plain) => {
        expect(catchError(() => ring().open('yubikey', ROW, plain))).toMatchObject(BROKEN);
      }),
    );
  });

  it('copies its keys: the bytes it was given may be wiped', () => {
    const key = newMasterKey();
    const keyring = ring('one', key);
    const sealed = keyring.seal('yubikey', ROW, SECRET);
    const same = ring('one', Buffer.from(key));
    key.fill(0);
    expect(keyring.open('yubikey', ROW, sealed)).toEqual(SECRET);
    expect(same.open('yubikey', ROW, keyring.seal('yubikey', ROW, SECRET))).toEqual(SECRET);
  });

  it.each([
    ['no keys', { keys: {}, current: 'one' }],
    ['a current key that is not there', { keys: { one: master(1) }, current: 'two' }],
    ['a key that is too short', { keys: { one: Buffer.alloc(31, 7) }, current: 'one' }],
    ['a key that is too long', { keys: { one: Buffer.alloc(33, 7) }, current: 'one' }],
    ['a key that is text', { keys: { one: '7'.repeat(32) }, current: 'one' }],
    ['an id with a blank', { keys: { 'o ne': master(7) }, current: 'o ne' }],
    ['an empty id', { keys: { '': master(7) }, current: '' }],
    ['an id that is too long', { keys: { [`x${'7'.repeat(32)}`]: master(7) }, current: 'x' }],
  ])('refuses %s, without repeating it', (_, options) => {
    const error = catchError(() => new Keyring(options as never)) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).not.toMatch(/77|7, 7/);
  });

  it('shows no key in console.log or JSON', () => {
    const keyring = ring('one', Buffer.from('0123456789abcdef0123456789abcdef'));
    keyring.seal('yubikey', ROW, SECRET);
    for (const text of [inspect(keyring, { depth: 9, showHidden: true }), JSON.stringify(keyring)]) {
      expect(text).toMatch(/^(Keyring )?\{\}$/);
    }
  });
});

describe('the sealed format', () => {
  /** Seals as documented, with hkdfSync, whereas the code under test computes HKDF (RFC 5869) with two HMACs. */
  function sealedByHand(options: {
    key: Buffer;
    id: string;
    kind: string;
    row: string;
    nonce: Buffer;
    secret: Buffer;
  }) {
    const { key, id, kind, row, nonce, secret } = options;
    const context = Buffer.from(`passport-yubikey-otp\0${kind}\x001\0${id}\0${row}`);
    const rowKey = Buffer.from(hkdfSync('sha256', key, new Uint8Array(), context, 32));
    const cipher = createCipheriv('aes-256-gcm', rowKey, nonce).setAAD(context);
    const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([Buffer.of(1, id.length), Buffer.from(id), nonce, ciphertext, cipher.getAuthTag()]);
  }

  const key = Buffer.from(Array.from({ length: 32 }, (_, n) => n));
  const nonce = Buffer.from('000102030405060708090a0b', 'hex');
  const KNOWN =
    '0106323032362d61000102030405060708090a0b43e11db84fc99fc1142e57de8e37334eb582665ce5fedb6b90ee77a9bdbf5bdfdf6b7c92c5210d';

  it('is as documented', () => {
    const options = { key, id: '2026-a', kind: 'yubikey', row: ROW, nonce, secret: SECRET };
    expect(ring('2026-a', key).open('yubikey', ROW, sealedByHand(options))).toEqual(SECRET);
  });

  it('does not change: a secret sealed by an earlier version opens', () => {
    const options = { key, id: '2026-a', kind: 'yubikey', row: ROW, nonce, secret: SECRET };
    expect(sealedByHand(options).toString('hex')).toBe(KNOWN);
    expect(ring('2026-a', key).open('yubikey', ROW, Buffer.from(KNOWN, 'hex'))).toEqual(SECRET);
  });
});

describe('parseKeyring', () => {
  const [one, two] = [master(1).toString('base64'), master(2).toString('base64')];
  const sealedByOne = ring('one', master(1)).seal('yubikey', ROW, SECRET);
  const sealedByTwo = ring('two', master(2)).seal('yubikey', ROW, SECRET);

  it.each([
    ['one line', `one:${one}`],
    ['a line break at the end', `one:${one}\n`],
    ['blanks around', ` \t one:${one} \r\n`],
  ])('reads one master key: %s', (_, text) => {
    expect(parseKeyring(text).open('yubikey', ROW, sealedByOne)).toEqual(SECRET);
  });

  it.each([
    ['blanks', `one:${one} two:${two}`],
    ['commas', `one:${one},two:${two}`],
    ['commas and blanks', `one:${one}, two:${two},`],
    ['lines', `one:${one}\ntwo:${two}\n`],
    ['Windows lines', `one:${one}\r\ntwo:${two}\r\n`],
  ])('reads several separated by %s, and seals with the first one', (_, text) => {
    const keyring = parseKeyring(text);
    expect(keyring.open('yubikey', ROW, sealedByOne)).toEqual(SECRET);
    expect(keyring.open('yubikey', ROW, sealedByTwo)).toEqual(SECRET);
    expect(keyring.isCurrent(keyring.seal('yubikey', ROW, SECRET))).toBe(true);
    expect(ring('one', master(1)).open('yubikey', ROW, keyring.seal('yubikey', ROW, SECRET))).toEqual(SECRET);
  });

  it('seals with the first one even if ids are numbers', () => {
    const keyring = parseKeyring(`2026:${two} 2025:${one}`);
    expect(ring('2026', master(2)).isCurrent(keyring.seal('yubikey', ROW, SECRET))).toBe(true);
  });

  const secret = Buffer.from('0123456789abcdef0123456789abcdef');
  const base64 = secret.toString('base64');
  it.each([
    ['nothing', ''],
    ['blanks', ' \n'],
    ['a key without an id', base64],
    ['an empty id', `:${base64}`],
    ['the parts the wrong way round', `${base64}:one`],
    ['hex', `one:${secret.toString('hex')}`],
    ['hex with letters', `one:${Buffer.alloc(32, 0xfb).toString('hex')}`],
    ['base64url', `one:${Buffer.alloc(32, 0xff).toString('base64url')}`],
    ['no padding', `one:${base64.replace(/=+$/, '')}`],
    ['a key that is too short', `one:${secret.subarray(1).toString('base64')}`],
    ['a key that is too long', `one:${Buffer.concat([secret, secret]).toString('base64')}`],
    ['no key', 'one:'],
    ['one id twice', `one:${base64} one:${base64}`, 'master-key new --id'],
    ['another separator', `one:${base64};two:${base64}`],
    ['a second one that is broken', `one:${base64} two:${base64.slice(1)}`],
  ])('refuses %s, without repeating a key', (_, text, says = '') => {
    const error = catchError(() => parseKeyring(text)) as Error;
    expect(error.message).toContain(says);
    expect(error).toBeInstanceOf(TypeError);
    for (const part of [base64, secret.toString('hex'), secret.toString()]) {
      expect(inspect(error)).not.toContain(part.slice(4, 20));
    }
  });

  it('refers to the old master key if there is none', () => {
    for (const text of ['', ' \n', ','])
      expect(() => parseKeyring(text)).toThrow(
        'Secrets that are already sealed open only with the master key that sealed them',
      );
  });

  it('does not advise to give the old master key another id', () => {
    const twice = catchError(() => parseKeyring(`one:${base64} one:${base64}`)) as Error;
    expect(twice.message).toMatch(/Leave the key that sealed something as it is.*replace the other one/);
  });

  it('accepts keys of newMasterKey, which are all different', () => {
    const keys = Array.from({ length: 50 }, () => newMasterKey());
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(50);
    for (const key of keys) expect(() => parseKeyring(`one:${key.toString('base64')}`)).not.toThrow();
  });
});
