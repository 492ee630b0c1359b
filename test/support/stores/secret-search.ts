import { encodeModhex } from '../../../src/otp/modhex.js';

/** Base64 of bytes within other bytes: for each of the three alignments, without the letters that also depend on neighbours. */
function base64Inside(secret: Uint8Array): string[] {
  return [0, 1, 2].map((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), secret]).toString('base64url');
    const end = Math.floor(((offset + secret.length) * 8) / 6);
    return whole.slice(Math.ceil((offset * 8) / 6), end);
  });
}

/** Every spelling of a secret that could be in a dump. */
function spellSecret(secret: Uint8Array): Record<string, Buffer> {
  const hex = Buffer.from(secret).toString('hex');
  const spellings: Record<string, Buffer | string> = {
    'raw bytes': Buffer.from(secret),
    hex,
    HEX: hex.toUpperCase(),
    modhex: encodeModhex(secret),
  };
  for (const [offset, text] of base64Inside(secret).entries()) {
    spellings[`base64 ${offset}`] = text.replaceAll('-', '+').replaceAll('_', '/');
    spellings[`base64url ${offset}`] = text;
  }
  return Object.fromEntries(Object.entries(spellings).map(([name, text]) => [name, Buffer.from(text)]));
}

/** Which of the secrets a dump contains, and in which spelling. */
export function secretsIn(dump: Buffer, secrets: Readonly<Record<string, Uint8Array>>): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    Object.entries(spellSecret(secret))
      .filter(([, text]) => dump.includes(text))
      .map(([spelling]) => `${name} as ${spelling}`),
  );
}
