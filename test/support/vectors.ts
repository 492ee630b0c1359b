import { existsSync, readFileSync } from 'node:fs';

export interface OtpVector {
  otp: string;
  publicId: string;
  aesKey: string;
  privateId: string;
  /** The field as stored: bit 15 tells whether caps lock triggered the key. */
  usageCounter: number;
  timestampLow: number;
  timestampHigh: number;
  sessionUse: number;
  random: number;
  capsLock: boolean;
}

export interface SignatureVector {
  what: 'request' | 'response';
  secret: string;
  params: Record<string, string>;
  h: string;
}

/** The project puts this folder next to a checkout. Elsewhere, only the copy in this repository exists. */
export const SHARED_VECTORS = new URL('../../../shared/vectors/', import.meta.url);
export const CHECKED_IN_VECTORS = new URL('../vectors/', import.meta.url);
export const hasSharedVectors = existsSync(SHARED_VECTORS);

function load(name: string) {
  const folder = hasSharedVectors ? SHARED_VECTORS : CHECKED_IN_VECTORS;
  return JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
}

const otps: {
  published: OtpVector[];
  generated: OtpVector[];
  corrupt: Pick<OtpVector, 'otp' | 'publicId' | 'aesKey'>[];
} = load('otp.json');

export const genuineOtps = [...otps.published, ...otps.generated];
export const corruptOtps = otps.corrupt;
export const signatures: SignatureVector[] = load('signature.json').vectors;

export function signatureVector(what: SignatureVector['what']): SignatureVector {
  const vector = signatures.find((candidate) => candidate.what === what);
  if (!vector) throw new Error(`signature.json has no ${what}`);
  return vector;
}
