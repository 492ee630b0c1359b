/** The AES key in the KSM REST API documentation. */
export const REFERENCE_AES_KEY = '31323334353637383930313233343536';

/**
 * Random tokens that pass the CRC with {@link REFERENCE_AES_KEY} by chance: of SHA-256('forged 0'),
 * SHA-256('forged 1') … the first 16 bytes of numbers 66,478, 77,282, 312,225 and 361,534.
 */
export const FORGED_TOKENS = [
  'rlrlbvrfcjjflneittvivitidbgchikj',
  'urrcnbldhdrrbtkhbntuughrgkrtivjk',
  'drlltngiuckdlnbehgeclnvkdbhkrhce',
  'jrjirncbrelkujvdccirdtudcetkrejj',
] as const;
