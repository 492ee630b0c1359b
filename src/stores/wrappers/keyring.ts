import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { YubikeyError } from '../../errors.js';
import { assertOptions, type OptionNames } from '../../options.js';

/** What a sealed secret belongs to: a secret sealed as one kind does not open as another. */
export type SealedKind = 'yubikey' | 'client';

export interface KeyringOptions {
  /** Master keys by their ids: 1 to 32 letters, digits, `-` or `_`; each key exactly 32 random bytes. */
  keys: Readonly<Record<string, Uint8Array>>;
  /** The id of the key that seals from now on. The others only open what they sealed. */
  current: string;
}

const OPTION_NAMES: OptionNames<KeyringOptions> = {
  keys: true,
  current: true,
};

const FORMAT_VERSION = 1;
const CIPHER = 'aes-256-gcm';
const MASTER_KEY_LENGTH = 32;
/** Of SHA-256, and so of a row's key. */
const HASH_LENGTH = 32;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;

/**
 * Master keys that seal secrets before a store gets them: AES-256-GCM under a key of each row's own, which
 * HKDF-SHA-256 (RFC 5869) makes of the master key. What a secret is (kind, format, master key id, row id) goes
 * into that derivation and is authenticated, so a secret opens in its own row alone.
 *
 * A sealed secret is: format version (1 byte), length of the master key id (1 byte), the id, nonce (12 bytes),
 * ciphertext, tag (16 bytes).
 */
export class Keyring {
  /** What HKDF-Extract makes of each master key, without salt. */
  readonly #extracted = new Map<string, KeyObject>();
  readonly #current: string;

  /** @throws TypeError for an unusable key or id, or an unknown option; it repeats no key. */
  constructor(options: KeyringOptions) {
    assertOptions('Keyring', options, OPTION_NAMES);
    const { keys, current } = options ?? {};
    if (typeof keys !== 'object' || keys === null)
      throw new TypeError('Keyring requires keys: master keys by their ids');
    this.#current = current;
    for (const [id, key] of Object.entries(keys)) {
      if (!KEY_ID.test(id)) throw new TypeError('A master key id must be 1 to 32 letters, digits, - or _');
      if (!(key instanceof Uint8Array) || key.length !== MASTER_KEY_LENGTH) {
        throw new TypeError(
          `Master key ${id} must be ${MASTER_KEY_LENGTH} random bytes; newMasterKey() makes one`,
        );
      }
      this.#extracted.set(id, createSecretKey(hmac(new Uint8Array(HASH_LENGTH), key)));
    }
    if (!this.#extracted.has(current))
      throw new TypeError('current must be the id of one of the master keys');
  }

  seal(kind: SealedKind, rowId: string, secret: Uint8Array): Buffer {
    const context = encodeContext(kind, this.#current, rowId);
    const nonce = randomBytes(NONCE_LENGTH);
    const cipher = createCipheriv(CIPHER, this.#rowKey(this.#current, context), nonce).setAAD(context);
    const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([encodeHeader(this.#current), nonce, ciphertext, cipher.getAuthTag()]);
  }

  /**
   * Opens what `seal` made, for the same kind and row.
   *
   * @throws YubikeyError `MASTER_KEY_UNKNOWN` when the master key is not in this keyring, `SEAL_BROKEN` when the
   * secret is not sealed at all, was edited, belongs to another row, or its master key was replaced by another
   * one of the same id.
   */
  open(kind: SealedKind, rowId: string, sealed: Uint8Array): Buffer {
    const keyId = masterKeyIdOf(sealed);
    const body = Buffer.from(sealed).subarray(encodeHeader(keyId ?? '').length);
    if (keyId === undefined || body.length < NONCE_LENGTH + TAG_LENGTH) throw sealBroken(kind, rowId);
    if (!this.#extracted.has(keyId)) {
      const message = `The ${kind} ${rowId} is sealed with master key ${keyId}, which is not in the keyring: add it`;
      throw new YubikeyError('MASTER_KEY_UNKNOWN', message);
    }
    const context = encodeContext(kind, keyId, rowId);
    const decipher = createDecipheriv(CIPHER, this.#rowKey(keyId, context), body.subarray(0, NONCE_LENGTH))
      .setAAD(context)
      .setAuthTag(body.subarray(-TAG_LENGTH));
    try {
      return Buffer.concat([decipher.update(body.subarray(NONCE_LENGTH, -TAG_LENGTH)), decipher.final()]);
    } catch {
      throw sealBroken(kind, rowId);
    }
  }

  /** Whether the current master key sealed it. It may still not open. */
  isCurrent(sealed: Uint8Array): boolean {
    return masterKeyIdOf(sealed) === this.#current;
  }

  /** HKDF-Expand, of which one block is enough. */
  #rowKey(keyId: string, context: Buffer): Buffer {
    return hmac(this.#extracted.get(keyId) as KeyObject, Buffer.concat([context, Buffer.of(1)]));
  }
}

function hmac(key: KeyObject | Uint8Array, message: Uint8Array): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

/** A fresh master key: 32 random bytes. */
export function newMasterKey(): Buffer {
  return randomBytes(MASTER_KEY_LENGTH);
}

/**
 * Reads a keyring from text, as an environment variable or a file holds it: `id:base64` for each master key,
 * with blanks, commas or line breaks between them. The first one seals.
 *
 * @throws TypeError, which repeats no key.
 */
export function parseKeyring(text: string): Keyring {
  const entries = text
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry): [string, Buffer] => {
      const [, id, base64] = /^([^:]*):(.*)$/.exec(entry) ?? [];
      const key = Buffer.from(base64 ?? '', 'base64');
      if (id === undefined || key.toString('base64') !== base64) {
        throw new TypeError('Master keys are written id:base64, such as 2026:…; this text is not');
      }
      return [id, key];
    });
  const [first] = entries;
  if (!first)
    throw new TypeError(
      'There is no master key; one is written id:base64. What is sealed already, only the one that sealed it opens',
    );
  if (new Set(entries.map(([id]) => id)).size < entries.length)
    throw new TypeError(
      'A master key id comes twice. Keep the one that sealed something as it is, since under another id it opens nothing, and make the other one anew: yubikey-otp master-key new --id ID',
    );
  return new Keyring({ keys: Object.fromEntries(entries), current: first[0] });
}

function encodeHeader(keyId: string): Buffer {
  return Buffer.concat([Buffer.from([FORMAT_VERSION, keyId.length]), Buffer.from(keyId, 'latin1')]);
}

/**
 * Tells which master key sealed a secret, without opening it.
 *
 * @param sealed The AES key of a key, or the API key of a client, as the store under a sealed one has it.
 * @returns The id of the master key; undefined for what is not sealed.
 */
export function masterKeyIdOf(sealed: Uint8Array): string | undefined {
  const [version, length = 0] = sealed;
  const keyId = Buffer.from(sealed.subarray(2, 2 + length)).toString('latin1');
  return version === FORMAT_VERSION && keyId.length === length && KEY_ID.test(keyId) ? keyId : undefined;
}

/** No part can hold the separator: kinds, ids of keys and of rows have none. */
function encodeContext(kind: SealedKind, keyId: string, rowId: string): Buffer {
  return Buffer.from(['passport-yubikey-otp', kind, FORMAT_VERSION, keyId, rowId].join('\0'));
}

function sealBroken(kind: SealedKind, rowId: string): YubikeyError {
  return new YubikeyError(
    'SEAL_BROKEN',
    `The ${kind} ${rowId} does not open: it is not sealed, was edited, belongs to another row, or another master key has the id of the one that sealed it, which alone opens it`,
  );
}
