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
import { decodeBase64 } from '../../protocol/base64.js';

/** The kind of record a sealed secret belongs to. A secret sealed as one kind does not open as another. */
export type SealedKind = 'yubikey' | 'client';

export interface KeyringOptions {
  /** Master keys by id. An id is 1 to 32 letters, digits, `-` or `_`; a key is exactly 32 random bytes. */
  keys: Readonly<Record<string, Uint8Array>>;
  /** The id of the master key that seals new secrets. The others only open secrets that they sealed. */
  current: string;
}

const OPTION_NAMES: OptionNames<KeyringOptions> = {
  keys: true,
  current: true,
};

const FORMAT_VERSION = 1;
const CIPHER = 'aes-256-gcm';
const MASTER_KEY_LENGTH = 32;
/** The length of SHA-256 hashes, and so of row keys. */
const HASH_LENGTH = 32;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const MASTER_KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;

/**
 * Master keys that seal secrets before a store gets them, with AES-256-GCM. Each row has its own key, derived from the
 * master key with HKDF-SHA-256 (RFC 5869). The context of a secret (kind, format, master key id, row id) is part of
 * the derivation and is authenticated, so a secret opens only in its own row.
 *
 * A sealed secret consists of: format version (1 byte), length of the master key id (1 byte), the id, nonce (12 bytes),
 * ciphertext, tag (16 bytes).
 */
export class Keyring {
  /** The output of HKDF-Extract for each master key, without salt. */
  readonly #extracted = new Map<string, KeyObject>();
  readonly #current: string;

  /** @throws TypeError for an invalid key or id, or an unknown option; its message contains no key. */
  constructor(options: KeyringOptions) {
    assertOptions('Keyring', options, OPTION_NAMES);
    const { keys, current } = options ?? {};
    if (typeof keys !== 'object' || keys === null)
      throw new TypeError('Keyring requires keys: master keys by id');
    this.#current = current;
    for (const [id, key] of Object.entries(keys)) {
      if (!isMasterKeyId(id)) throw new TypeError('A master key id must be 1 to 32 letters, digits, - or _');
      if (!(key instanceof Uint8Array) || key.length !== MASTER_KEY_LENGTH) {
        throw new TypeError(
          `Master key ${id} must be ${MASTER_KEY_LENGTH} random bytes; newMasterKey() generates one`,
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
   * Opens a secret that `seal` returned, for the same kind and row.
   *
   * @throws YubikeyError `MASTER_KEY_UNKNOWN` if the master key is not in this keyring, `SEAL_BROKEN` if the secret
   * is not sealed, was edited, belongs to another row, or was sealed with a different master key of the same id.
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

  /** Whether the secret names the current master key. It may still fail to open. */
  isCurrent(sealed: Uint8Array): boolean {
    return masterKeyIdOf(sealed) === this.#current;
  }

  /** HKDF-Expand. One block of output is long enough. */
  #rowKey(keyId: string, context: Buffer): Buffer {
    return hmac(this.#extracted.get(keyId) as KeyObject, Buffer.concat([context, Buffer.of(1)]));
  }
}

function hmac(key: KeyObject | Uint8Array, message: Uint8Array): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

/** Whether a value can be the id of a master key: 1 to 32 letters, digits, `-` or `_`. */
export function isMasterKeyId(text: unknown): text is string {
  return typeof text === 'string' && MASTER_KEY_ID.test(text);
}

/** Generates a master key: 32 random bytes. */
export function newMasterKey(): Buffer {
  return randomBytes(MASTER_KEY_LENGTH);
}

/**
 * Reads a keyring from text, such as the contents of an environment variable or file: `id:base64` for each master key,
 * separated by blanks, commas or line breaks. The first one seals.
 *
 * @throws TypeError whose message contains no key.
 */
export function parseKeyring(text: string): Keyring {
  const entries = text
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry): [string, Buffer] => {
      const [, id, base64] = /^([^:]*):(.*)$/.exec(entry) ?? [];
      const key = decodeBase64(base64);
      if (id === undefined || key === undefined) {
        throw new TypeError('Master keys must be written as id:base64, such as 2026:…');
      }
      return [id, key];
    });
  const [first] = entries;
  if (!first)
    throw new TypeError(
      'There is no master key: write it as id:base64. Secrets that are already sealed open only with the master key that sealed them',
    );
  if (new Set(entries.map(([id]) => id)).size < entries.length)
    throw new TypeError(
      'A master key id occurs twice. Leave the key that sealed something as it is, since under another id it opens nothing, and replace the other one: yubikey-otp master-key new --id ID',
    );
  return new Keyring({ keys: Object.fromEntries(entries), current: first[0] });
}

function encodeHeader(keyId: string): Buffer {
  return Buffer.concat([Buffer.from([FORMAT_VERSION, keyId.length]), Buffer.from(keyId, 'latin1')]);
}

/**
 * Tells which master key sealed a secret, without opening it.
 *
 * @param sealed The `aesKey` of a key, or the `apiKey` of a client, as the underlying store holds it.
 * @returns The id of the master key; undefined if the secret is not sealed.
 */
export function masterKeyIdOf(sealed: Uint8Array): string | undefined {
  const [version, length = 0] = sealed;
  const keyId = Buffer.from(sealed.subarray(2, 2 + length)).toString('latin1');
  return version === FORMAT_VERSION && keyId.length === length && isMasterKeyId(keyId) ? keyId : undefined;
}

/** Unambiguous: kinds, master key ids and row ids never contain the separator. */
function encodeContext(kind: SealedKind, keyId: string, rowId: string): Buffer {
  return Buffer.from(['passport-yubikey-otp', kind, FORMAT_VERSION, keyId, rowId].join('\0'));
}

function sealBroken(kind: SealedKind, rowId: string): YubikeyError {
  return new YubikeyError(
    'SEAL_BROKEN',
    `The ${kind} ${rowId} does not open: it is not sealed, was edited, belongs to another row, or was sealed with a different master key of the same id, which alone opens it`,
  );
}
