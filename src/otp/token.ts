import { createCipheriv, createDecipheriv } from 'node:crypto';
import { CAPS_LOCK_BIT, type Counters, MAX_USAGE_COUNTER } from './counters.js';
import { CRC_RESIDUE, crc16 } from './crc16.js';
import { decodeModhex, encodeModhex } from './modhex.js';

/** What is inside an OTP: the fields of one AES block (Yubico, "OTPs explained"). */
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

/**
 * Decrypts the token of an OTP, 32 modhex letters, with a 16-byte AES key.
 *
 * Undefined when the CRC is wrong: another key, or a corrupt OTP. The CRC alone is no proof, since one token
 * in 65,536 passes it by chance: compare the private ID.
 */
export function decryptToken(token: string, aesKey: Uint8Array): Token | undefined {
  const decipher = createDecipheriv(CIPHER, aesKey, null).setAutoPadding(false);
  const block = Buffer.concat([decipher.update(decodeModhex(token)), decipher.final()]);
  if (crc16(block) !== CRC_RESIDUE) return undefined;
  const usageField = block.readUInt16LE(6);
  return {
    privateId: block.subarray(0, 6),
    counters: {
      usageCounter: usageField & MAX_USAGE_COUNTER,
      timestamp: block.readUIntLE(8, 3),
      sessionUse: block.readUInt8(11),
    },
    capsLock: (usageField & CAPS_LOCK_BIT) !== 0,
    random: block.readUInt16LE(12),
  };
}

/** Encrypts a token as a key does: the inverse of {@link decryptToken}, 32 modhex letters. */
export function encryptToken(token: Token, aesKey: Uint8Array): string {
  const block = Buffer.alloc(16);
  block.set(token.privateId, 0);
  block.writeUInt16LE(token.counters.usageCounter | (token.capsLock ? CAPS_LOCK_BIT : 0), 6);
  block.writeUIntLE(token.counters.timestamp, 8, 3);
  block.writeUInt8(token.counters.sessionUse, 11);
  block.writeUInt16LE(token.random, 12);
  block.writeUInt16LE(~crc16(block.subarray(0, 14)) & 0xffff, 14);
  const cipher = createCipheriv(CIPHER, aesKey, null).setAutoPadding(false);
  return encodeModhex(Buffer.concat([cipher.update(block), cipher.final()]));
}
