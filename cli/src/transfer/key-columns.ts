import type { NewKey } from 'passport-yubikey-otp/stores';
import type { Parsed } from './line.js';
import { isPublicId } from './modhex.js';

/** The columns that the files of all tools have, as text. */
export interface KeyColumns {
  readonly serial: string;
  readonly publicId: string;
  readonly privateId: string;
  readonly aesKey: string;
  /** Needed to program the YubiKey again, not to verify it: not kept. */
  readonly accessCode: string;
}

export interface KeyEntry extends NewKey {
  readonly notes: string;
  readonly active: boolean;
  /** Whether the line has an access code, which is not kept. */
  readonly hasAccessCode: boolean;
}

/** A key from its columns, or the first thing that is wrong with them. */
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

/** `serial 4711, comment`: what {@link serialAndComment} takes apart again. */
function formatNotes(serial: string, comment: string): string {
  const named = /^0*$/.test(serial) ? '' : `serial ${serial}`;
  return [named, comment].filter((part) => part !== '').join(', ');
}

/** The serial number that an import put into the notes, and the rest of them. */
export function serialAndComment(notes: string): { serial: string; comment: string } {
  const [, serial, comment] = /^serial (\d+)(?:, (.*))?$/s.exec(notes) ?? [];
  return serial === undefined ? { serial: '0', comment: notes } : { serial, comment: comment ?? '' };
}
