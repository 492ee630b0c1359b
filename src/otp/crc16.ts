/** The result of {@link crc16} over a block that ends with its own CRC, low byte first. */
export const CRC_RESIDUE = 0xf0b8;

/**
 * CRC-16 of ISO 13239: polynomial x¹⁶+x¹²+x⁵+1 reflected (0x8408), initial value 0xffff, not inverted.
 *
 * A token stores the inverse, `~crc16(first 14 bytes)`, so the whole block results in {@link CRC_RESIDUE}.
 */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (let at = 0; at < bytes.length; at++) {
    crc = (crc >> 8) ^ (TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return crc;
}

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1;
  return crc;
});
