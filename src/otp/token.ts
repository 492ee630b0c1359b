import { createCipheriv, createDecipheriv } from 'node:crypto';
import { joinUsageField, splitUsageField } from './counter-fields.js';
import type { Counters } from './counters.js';
import { CRC_RESIDUE, crc16 } from './crc16.js';
import { decodeModhexInto, encodeModhex } from './modhex.js';

/** The decrypted fields of an OTP, which fill one AES block (Yubico, "OTPs explained"). */
export interface Token {
  /** 6 bytes, secret. */
  readonly privateId: Uint8Array;
  readonly counters: Counters;
  /** Whether caps lock triggered the key: bit 15 of the usage counter field. */
  readonly capsLock: boolean;
  /** 16 bits. */
  readonly random: number;
}

const CIPHER = 'aes-128-ecb';
const BLOCK_LENGTH = 16;
/** Reused for each token. It is always filled completely: the cipher would keep a partial block for the next token. */
const CIPHERTEXT = Buffer.alloc(BLOCK_LENGTH);

/** Decrypts tokens with one AES key of 16 bytes. The cipher is created once, which takes longer than using it. */
export class TokenDecipher {
  readonly #decipher: ReturnType<typeof createDecipheriv>;

  constructor(aesKey: Uint8Array) {
    this.#decipher = createDecipheriv(CIPHER, aesKey, null).setAutoPadding(false);
  }

  /**
   * Decrypts the token of an OTP, 32 modhex letters.
   *
   * Returns undefined if the CRC is wrong, because the token was made with another key or is corrupt. The CRC alone
   * proves little, because one random token in 65,536 passes it: compare the private ID.
   */
  decrypt(token: string): Token | undefined {
    const block = this.#decipher.update(decodeModhexInto(CIPHERTEXT, token));
    return crc16(block) === CRC_RESIDUE ? readToken(block) : undefined;
  }
}

/** Decrypts one token, as {@link TokenDecipher.decrypt} does, with a key that is used once. */
export function decryptToken(token: string, aesKey: Uint8Array): Token | undefined {
  return new TokenDecipher(aesKey).decrypt(token);
}

function readToken(block: Buffer): Token {
  const { usageCounter, capsLock } = splitUsageField(byteAt(block, 6) | (byteAt(block, 7) << 8));
  return {
    privateId: block.subarray(0, 6),
    counters: {
      usageCounter,
      timestamp: byteAt(block, 8) | (byteAt(block, 9) << 8) | (byteAt(block, 10) << 16),
      sessionUse: byteAt(block, 11),
    },
    capsLock,
    random: byteAt(block, 12) | (byteAt(block, 13) << 8),
  };
}

function byteAt(block: Buffer, at: number): number {
  return block[at] as number;
}

/** Encrypts a token as a YubiKey does, into 32 modhex letters: the inverse of {@link TokenDecipher.decrypt}. */
export function encryptToken(token: Token, aesKey: Uint8Array): string {
  const block = Buffer.alloc(BLOCK_LENGTH);
  block.set(token.privateId, 0);
  block.writeUInt16LE(joinUsageField(token.counters.usageCounter, token.capsLock), 6);
  block.writeUIntLE(token.counters.timestamp, 8, 3);
  block.writeUInt8(token.counters.sessionUse, 11);
  block.writeUInt16LE(token.random, 12);
  block.writeUInt16LE(~crc16(block.subarray(0, 14)) & 0xffff, 14);
  const cipher = createCipheriv(CIPHER, aesKey, null).setAutoPadding(false);
  return encodeModhex(Buffer.concat([cipher.update(block), cipher.final()]));
}
