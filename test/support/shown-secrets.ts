import { type InspectOptions, inspect } from 'node:util';
import { encodeModhex } from '../../src/otp/modhex.js';

const OPTIONS: Readonly<Record<string, InspectOptions>> = {
  'depth: Infinity': { depth: Infinity },
  'showHidden: true': { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null },
};

/** Every spelling of a secret that `inspect` could show, without white space. */
function listSpellings(bytes: Uint8Array): string[] {
  const secret = Buffer.from(bytes);
  const hex = secret.toString('hex');
  const unpadded = secret.toString('base64url');
  return [
    hex,
    hex.toUpperCase(),
    encodeModhex(secret),
    unpadded,
    unpadded.replaceAll('-', '+').replaceAll('_', '/'),
    secret.toString('latin1'),
    [...secret].join(','),
    [...secret].map((byte) => `0x${byte.toString(16)}`).join(','),
  ];
}

/** The names of the secrets that `inspect` shows of a value, with any of the options. */
export function findShownSecrets(value: unknown, secrets: Readonly<Record<string, Uint8Array>>): string[] {
  const shown = Object.values(OPTIONS).map((options) => inspect(value, options).replaceAll(/\s/g, ''));
  const isShown = (secret: Uint8Array) =>
    listSpellings(secret).some((spelling) => shown.some((text) => text.includes(spelling)));
  return Object.entries(secrets).flatMap(([name, secret]) => (isShown(secret) ? [name] : []));
}
