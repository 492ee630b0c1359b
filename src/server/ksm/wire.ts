import { AES_KEY_LENGTH, decodeHexOrBase64 } from '../../ksm/aes-key.js';
import { parsePrivateId } from '../../ksm/private-id.js';
import { isModhex } from '../../otp/modhex.js';
import { type Otp, parseOtp } from '../../otp/otp.js';
import { KEY_ID_LENGTH } from '../../protocol/ksm-rest-response.js';
import type { NewKey } from '../../stores/store.js';
import { KsmFault } from './ksm-fault.js';

const MAX_DESCRIPTION_LENGTH = 1000;

/** Checks that a JSON value is an object. */
export function readObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new KsmFault('INVALID_JSON');
  return value as Record<string, unknown>;
}

/** @throws KsmFault for a key that the REST API does not accept. */
export function readNewKey({
  key_id,
  aes_key,
  private_id,
  description,
}: Readonly<Record<string, unknown>>): NewKey {
  return {
    publicId: readKeyId(key_id),
    aesKey: readAesKey(aes_key),
    privateId: readPrivateId(private_id),
    notes: readDescription(description),
  };
}

export function readKeyId(value: unknown): string {
  if (isMissing(value)) throw new KsmFault('MISSING_KEY_ID');
  if (typeof value !== 'string') throw new KsmFault('INVALID_KEY_ID_FORMAT');
  if (value.length !== KEY_ID_LENGTH) throw new KsmFault('INVALID_KEY_ID_LENGTH');
  if (!isModhex(value)) throw new KsmFault('INVALID_KEY_ID_FORMAT');
  return value;
}

function readAesKey(value: unknown): Uint8Array {
  if (isMissing(value)) throw new KsmFault('MISSING_AES_KEY');
  const bytes = decodeHexOrBase64(value);
  if (!bytes) throw new KsmFault('INVALID_AES_KEY_FORMAT');
  if (bytes.length !== AES_KEY_LENGTH) throw new KsmFault('INVALID_AES_KEY_LENGTH');
  return bytes;
}

function readPrivateId(value: unknown): Uint8Array | undefined {
  if (isMissing(value)) return undefined;
  try {
    return parsePrivateId(value as string);
  } catch {
    throw new KsmFault('INVALID_PRIVATE_ID');
  }
}

function readDescription(value: unknown): string {
  if (isMissing(value)) return '';
  const isValid =
    typeof value === 'string' && value.length <= MAX_DESCRIPTION_LENGTH && !/[\p{Cc}\p{Cs}]/u.test(value);
  if (!isValid) throw new KsmFault('INVALID_DESCRIPTION');
  return value;
}

function isMissing(value: unknown): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

/**
 * Reads an OTP as a server passes it on, without normalising it.
 *
 * @throws KsmFault for anything else, including an OTP in another spelling.
 */
export function readOtp(value: unknown): Otp {
  try {
    const otp = parseOtp(value as string);
    if (otp.value === value) return otp;
  } catch {
    // Refused below.
  }
  throw new KsmFault('INVALID_OTP');
}
