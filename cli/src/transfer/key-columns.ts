import { isPublicId } from 'passport-yubikey-otp/protocol';
import type { NewKey } from 'passport-yubikey-otp/stores';
import type { Parsed } from './line.js';

/** The columns that the key files of all tools have in common, as text. */
export interface KeyColumns {
  readonly serial: string;
  readonly publicId: string;
  readonly privateId: string;
  readonly aesKey: string;
  /** Needed only to program the YubiKey again, so it is not stored. */
  readonly accessCode: string;
}

export interface KeyEntry extends NewKey {
  readonly notes: string;
  readonly active: boolean;
  /** Whether the line has an access code, which is not stored. */
  readonly hasAccessCode: boolean;
}

/** Parses a key from its columns, or returns the first problem with them. */
export function parseKeyColumns(columns: KeyColumns, comment = '', active = true): Parsed<KeyEntry> {
  const problem = findColumnProblem(columns);
  if (problem !== undefined) return { problem };
  const { serial, publicId, privateId, aesKey, accessCode } = columns;
  return {
    entry: {
      publicId,
      aesKey: Buffer.from(aesKey, 'hex'),
      privateId: privateId === '' ? undefined : Buffer.from(privateId, 'hex'),
      notes: formatNotes(serial, comment),
      active,
      hasAccessCode: !/^0*$/.test(accessCode),
    },
  };
}

function findColumnProblem({
  serial,
  publicId,
  privateId,
  aesKey,
  accessCode,
}: KeyColumns): string | undefined {
  if (!/^\d*$/.test(serial)) return 'the serial number is not a decimal number';
  if (!isPublicId(publicId)) return 'the public ID is not 0 to 16 modhex letters (cbdefghijklnrtuv)';
  if (!/^([0-9a-f]{12})?$/i.test(privateId)) return 'the private ID is not 12 hexadecimal digits';
  if (/^([0-9a-f]{48}|[0-9a-f]{64})$/i.test(aesKey)) {
    return `the AES key has ${aesKey.length} hexadecimal digits: keys that make OTPs have 32`;
  }
  if (!/^[0-9a-f]{32}$/i.test(aesKey)) return 'the AES key is not 32 hexadecimal digits';
  if (!/^[0-9a-f]*$/i.test(accessCode)) return 'the access code is not hexadecimal';
  return undefined;
}

/** Formats `serial 4711, comment`, which {@link splitNotes} parses. */
function formatNotes(serial: string, comment: string): string {
  const named = /^0*$/.test(serial) ? '' : `serial ${serial}`;
  return [named, comment].filter((part) => part !== '').join(', ');
}

/** Splits notes into the serial number that an import put there, and the comment. */
export function splitNotes(notes: string): { serial: string; comment: string } {
  const [, serial, comment] = /^serial (\d+)(?:, (.*))?$/s.exec(notes) ?? [];
  return serial === undefined ? { serial: '0', comment: notes } : { serial, comment: comment ?? '' };
}
