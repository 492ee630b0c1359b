import { createDecipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CRC_RESIDUE, crc16 } from '../../src/otp/crc16.js';
import { decodeModhex } from '../../src/otp/modhex.js';
import { genuineOtps, type OtpVector } from '../support/vectors.js';

function decryptBlock({ otp, aesKey }: OtpVector): Buffer {
  const decipher = createDecipheriv('aes-128-ecb', Buffer.from(aesKey, 'hex'), null).setAutoPadding(false);
  return Buffer.concat([decipher.update(decodeModhex(otp.slice(-32))), decipher.final()]);
}

describe('crc16', () => {
  it('is CRC-16/IBM-SDLC of the catalogue, but not inverted', () => {
    expect(~crc16(Buffer.from('123456789')) & 0xffff).toBe(0x906e);
    expect(crc16(new Uint8Array())).toBe(0xffff);
  });

  it('results in the residue over every token that libyubikey made', () => {
    for (const vector of genuineOtps) expect(crc16(decryptBlock(vector)), vector.otp).toBe(CRC_RESIDUE);
  });

  it('results in the residue over any bytes followed by their inverted CRC', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const crc = ~crc16(bytes) & 0xffff;
        expect(crc16(Uint8Array.of(...bytes, crc & 0xff, crc >> 8))).toBe(CRC_RESIDUE);
      }),
    );
  });

  it('detects every single flipped bit', () => {
    const block = decryptBlock(genuineOtps[0] as OtpVector);
    for (let bit = 0; bit < 128; bit++) {
      const turned = Buffer.from(block);
      turned.writeUInt8(turned.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(crc16(turned), `bit ${bit}`).not.toBe(CRC_RESIDUE);
    }
  });
});
