import { type KeyEntry, parseKeyColumns } from './key-columns.js';
import type { Parsed } from './line.js';

/**
 * Reads a line of the file that `ykman otp yubiotp -O FILE` appends to:
 * `serial,publicModhex,privateHex,keyHex,accessHex-or-empty,YYYY-MM-DDThh:mm:ss,`.
 */
export function parseYkmanLine(text: string): Parsed<KeyEntry> {
  if (text.trim() === '') return undefined;
  const columns = text.split(',').map((column) => column.trim());
  if (columns.length !== 7) return { problem: `the number of columns is ${columns.length}, not 7` };
  const [serial = '', publicId = '', privateId = '', aesKey = '', accessCode = '', time = '', end] = columns;
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/.test(time)) {
    return { problem: 'the time is not written as 2009-02-24T17:41:57' };
  }
  if (end !== '') return { problem: 'there is text after the last comma' };
  if (privateId === '') return { problem: 'the private ID is missing' };
  return parseKeyColumns({
    serial: serial === 'None' ? '' : serial,
    publicId,
    privateId,
    aesKey,
    accessCode,
  });
}
