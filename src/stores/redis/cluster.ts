export const SLOT_COUNT = 16_384;

/** With this many numbered keys, every slot has one, whatever prefix they have. */
const KEYS_FOR_EVERY_SLOT = 200_000;

const HASH_TAG = /^[^{]*\{([^}]+)\}/;

/** The slot of Redis Cluster for a key: hashes the text in its first braces, or the whole key. */
export function hashSlot(key: string): number {
  return crc16(Buffer.from(HASH_TAG.exec(key)?.[1] ?? key)) % SLOT_COUNT;
}

/** Keys with this prefix, at least one in every slot that such keys can be in. */
export function* keysInEachSlot(prefix: string): Generator<string> {
  const count = HASH_TAG.test(prefix) ? 1 : KEYS_FOR_EVERY_SLOT;
  for (let n = 0; n < count; n++) yield `${prefix}${n}`;
}

/** CRC-16/XMODEM. Tokens use a different CRC. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc;
}

/** A server of Redis Cluster that owns slots. */
export interface Master {
  readonly id: string;
  readonly address: string;
  /** A key that it would hold; undefined if keys with this prefix are all on other masters. */
  key?: string | undefined;
}

type Range = [first: number, last: number, master: [host: string, port: number, id: string]];

/** Reads the masters from the answer to CLUSTER SLOTS, and finds for each a key with this prefix. */
export function parseMasters(slotRanges: unknown, prefix: string): Master[] {
  const masters = new Map<string, Master>();
  const mastersBySlot = new Array<Master | undefined>(SLOT_COUNT);
  for (const [first, last, [host, port, id]] of slotRanges as Range[]) {
    const master = masters.get(id) ?? { id, address: `${host}:${port}` };
    masters.set(id, master);
    mastersBySlot.fill(master, first, last + 1);
  }
  let withoutKey = masters.size;
  for (const key of keysInEachSlot(prefix)) {
    if (withoutKey === 0) break;
    const master = mastersBySlot[hashSlot(key)];
    if (!master || master.key !== undefined) continue;
    master.key = key;
    withoutKey--;
  }
  return [...masters.values()];
}
