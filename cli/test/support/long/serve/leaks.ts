import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { decodeModhex } from 'passport-yubikey-otp/protocol';
import { secretsIn } from '../../../../../test/support/stores/secret-search.js';

/** What any spelling of a secret is made of; shorter pieces than any of a secret are left out. */
const PIECES = /[A-Za-z0-9+/=_%-]{6,}/g;
/** Bytes beyond ASCII, which raw secrets have. */
const RAW = /[^\t\n\r\x20-\x7e]/;

/**
 * Searches long logs for many secrets: each different piece of text that could hold one is kept once, and only
 * these are searched.
 */
export class Leaks {
  lines = 0;
  length = 0;
  private readonly pieces = new Set<string>();

  async readFile(path: string): Promise<void> {
    for await (const line of createInterface({ input: createReadStream(path, 'latin1') })) this.read(line);
  }

  read(text: string): void {
    this.lines += 1;
    this.length += text.length;
    if (RAW.test(text)) this.pieces.add(text);
    for (const [piece] of text.matchAll(PIECES)) this.pieces.add(piece);
  }

  /** The secrets and OTPs that were found, by name or place, and how they were spelled. */
  of(secrets: Readonly<Record<string, Uint8Array>>, otps: readonly string[]): string[] {
    const kept = Buffer.from([...this.pieces].join('\n'), 'latin1');
    const found = secretsIn(kept, secrets);
    for (const [at, otp] of otps.entries()) {
      const token = otp.slice(-32);
      for (const text of [token, token.toUpperCase()]) if (kept.includes(text)) found.push(`OTP ${at}`);
      found.push(...secretsIn(kept, { [`token of OTP ${at}`]: decodeModhex(token) }));
    }
    return found;
  }
}
