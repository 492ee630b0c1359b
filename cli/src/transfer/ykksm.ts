import type { KeyRecord } from 'passport-yubikey-otp/stores';
import { oneLine } from '../terminal/output.js';
import { type KeyEntry, parseKeyColumns, serialAndComment } from './key-columns.js';
import type { Parsed } from './line.js';

/** The first line of a key provisioning file of yubikey-ksm. `ykksm-export` leaves it out. */
export const YKKSM_HEADER = '# ykksm 1';

/** What our own export puts at the start of the comment of a disabled key, since the format has no column for it. */
const DISABLED = '[disabled]';
/** What it puts before a comment of an active key that starts with either mark. */
const ACTIVE = '[active]';

/**
 * Reads a line of yubikey-ksm's key provisioning format:
 * `serialNr,publicName,internalName,aesKey,lockCode,created,accessed[,progflags] # comment`.
 */
export function parseYkksmLine(text: string): Parsed<KeyEntry> {
  const [data, ...rest] = text.split('#') as [string, ...string[]];
  if (data.trim() === '') return undefined;
  const columns = data.split(',').map((column) => column.trim());
  if (columns.length < 6 || columns.length > 8) {
    return { problem: `there are ${columns.length} columns instead of 7 (or 8 with progflags)` };
  }
  const [serial = '', publicId = '', privateId = '', aesKey = '', accessCode = '', ...others] = columns;
  const [created = '', accessed = '', progflags = ''] = others;
  if (![created, accessed].every(isTime)) return { problem: 'a date is not written as 2009-02-24T17:41:57' };
  if (!/^\d*$/.test(progflags)) return { problem: 'the progflags are not a decimal number' };
  const comment = rest.join('#').trim();
  const mark = findMark(comment);
  return parseKeyColumns(
    { serial, publicId, privateId, aesKey, accessCode },
    comment.slice(mark.length).trim(),
    mark !== DISABLED,
  );
}

function findMark(comment: string): string {
  return [DISABLED, ACTIVE].find((mark) => comment.startsWith(mark)) ?? '';
}

function isTime(text: string): boolean {
  return /^(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2})?$/.test(text);
}

/** Writes a key as `ykksm-import` and {@link parseYkksmLine} read it, without the end of the line. Secret. */
export function formatYkksmLine({
  publicId,
  privateId,
  aesKey,
  createdAt,
  notes,
  active,
}: KeyRecord): string {
  const { serial, comment } = serialAndComment(oneLine(notes));
  const columns = [serial, publicId, hex(privateId), hex(aesKey), '000000000000', formatTime(createdAt), ''];
  const mark = active ? findMark(comment) && ACTIVE : DISABLED;
  const remark = [mark, comment].filter((part) => part !== '').join(' ');
  return columns.join(',') + (remark === '' ? '' : ` # ${remark}`);
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes ? Buffer.from(bytes).toString('hex') : '';
}

function formatTime(date: Date): string {
  return date.toISOString().slice(0, 19);
}

/**
 * Prints the public IDs that yubikey-ksm decrypts nothing for, so also where `active` is NULL; for psql alike. A file of
 * ykksm-export does not hold that column.
 */
const PRINT_DISABLED = "mysql -NBe 'SELECT publicname FROM yubikeys WHERE active IS NOT TRUE' ykksm";

/**
 * The command line that disables what yubikey-ksm had disabled, run where its database is.
 *
 * @param command How this command is called on the database here.
 */
export function disableAsYkksm(command = 'yubikey-otp'): string {
  return `${PRINT_DISABLED} | xargs -r ${command} keys disable`;
}

/** What a file of yubikey-ksm cannot say, and the command that carries it over. */
export function adviceOnDisabledKeys(command: string): string {
  return `Files of yubikey-ksm do not say which keys it had disabled: those are active here. If these keys come from there, this disables them, run where its database is (PostgreSQL: psql -Atc in place of mysql -NBe), once they are imported:
  ${disableAsYkksm(command)}`;
}
