import type { KeyRecord } from 'passport-yubikey-otp/stores';
import { oneLine } from '../terminal/output.js';
import { type KeyEntry, parseKeyColumns, splitNotes } from './key-columns.js';
import type { Parsed } from './line.js';

/** The first line of a key provisioning file of yubikey-ksm. `ykksm-export` does not write it. */
export const YKKSM_HEADER = '# ykksm 1';

/** Our export starts the comment of a disabled key with this, because the format has no column for it. */
const DISABLED = '[disabled]';
/** Our export puts this before the comment of an active key if that comment starts with either mark. */
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
    return { problem: `the number of columns is ${columns.length}, not 7 (or 8 with progflags)` };
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

/** Formats a key for `ykksm-import` and {@link parseYkksmLine}, without the line end. The line is secret. */
export function formatYkksmLine({
  publicId,
  privateId,
  aesKey,
  createdAt,
  notes,
  active,
}: KeyRecord): string {
  const { serial, comment } = splitNotes(oneLine(notes));
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
 * Prints the public IDs of the keys that yubikey-ksm does not use, which include those with `active` NULL. The files of
 * ykksm-export do not contain that column. The query works with psql too.
 */
const PRINT_DISABLED = "mysql -NBe 'SELECT publicname FROM yubikeys WHERE active IS NOT TRUE' ykksm";

/**
 * The command line that disables here the keys that are disabled in yubikey-ksm. It is run where its database is.
 *
 * @param command The beginning of the command line for the database here.
 */
export function disableAsYkksm(command = 'yubikey-otp'): string {
  return `${PRINT_DISABLED} | xargs -r ${command} keys disable`;
}

/** Explains that files of yubikey-ksm do not tell which keys were disabled, and how to disable these. */
export function adviseOnDisabledKeys(command: string): string {
  return `Files of yubikey-ksm do not tell which keys were disabled, so all of them are active here. If these keys come from yubikey-ksm, import them, then run this where its database is (PostgreSQL: psql -Atc instead of mysql -NBe):
  ${disableAsYkksm(command)}`;
}
