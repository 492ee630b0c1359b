import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SignedAnswer {
  readonly text: string;
  /** Base64; empty for the empty key. */
  readonly apiKey: string;
}

/** Equivalent to the empty key, which openssl does not accept: HMAC pads keys with zeros. */
const AS_EMPTY_KEY = '00';

/** Returns the answers whose `h` differs from what openssl computes. Starts one process for each API key. */
export function wronglySigned(answers: readonly SignedAnswer[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'signatures-'));
  try {
    const keys = [...new Set(answers.map(({ apiKey }) => apiKey))];
    return keys.flatMap((apiKey) => wronglySignedWith(apiKey, answers, folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function wronglySignedWith(apiKey: string, answers: readonly SignedAnswer[], folder: string): string[] {
  const texts = answers.filter((answer) => answer.apiKey === apiKey).map(({ text }) => text);
  const files = texts.map((text, at) => {
    const file = join(folder, String(at));
    writeFileSync(file, extractSignedText(text));
    return file;
  });
  const key = Buffer.from(apiKey, 'base64').toString('hex') || AS_EMPTY_KEY;
  const printed = execFileSync(
    'openssl',
    ['dgst', '-sha1', '-mac', 'HMAC', '-macopt', `hexkey:${key}`, ...files],
    { encoding: 'utf8' },
  );
  const digests = printed.trimEnd().split('\n');
  return texts.filter((text, at) => {
    const expected = Buffer.from(digests[at]?.split('= ')[1] as string, 'hex').toString('base64');
    return !text.startsWith(`h=${expected}\r\n`);
  });
}

function extractSignedText(text: string): string {
  return text
    .split('\r\n')
    .filter((line) => line !== '' && !line.startsWith('h='))
    .sort()
    .join('&');
}
