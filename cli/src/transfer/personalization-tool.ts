import { type KeyEntry, parseKeyColumns } from './key-columns.js';
import type { Parsed } from './line.js';
import { parseYkmanLine } from './ykman.js';

/** The beginning of a session's first line in a traditional log. */
export const LOGGING_START = 'LOGGING START,';

/** The number of columns in a line of a traditional log, if its time contains no comma. */
export const TRADITIONAL_COLUMNS = 18;

const NOT_AN_OTP_KEY = 'the line programs something other than a Yubico OTP key';

/**
 * Reads a line of a log of the YubiKey Personalization Tool, in the Yubico or in the traditional format. Lines
 * for HOTP, static passwords and challenge-response, which share the columns, are skipped.
 */
export function parsePersonalizationToolLine(text: string): Parsed<KeyEntry> {
  if (text.trim() === '' || text.startsWith(LOGGING_START)) return undefined;
  const columns = text.split(',').map((column) => column.trim());
  return columns.length >= TRADITIONAL_COLUMNS ? parseTraditional(columns) : parseYubico(text, columns);
}

/** The Yubico format is the one of ykman, but it also has lines for things other than Yubico OTP keys. */
function parseYubico(text: string, [, publicId, privateId = '', secret = '']: string[]): Parsed<KeyEntry> {
  const isHmac = /^[0-9a-f]{40}$/i.test(secret) && /^\d*$/.test(privateId);
  const isStaticOrChallenge = publicId === '' && (privateId === '' || privateId === '0');
  return isHmac || isStaticOrChallenge ? { skipped: NOT_AN_OTP_KEY } : parseYkmanLine(text);
}

/**
 * `eventType,timestampLocal,configSlot,pubId,pvtId,secretKey,currentAccess,newAccess,oathFixedModhex1,…2,…,
 * hotpDigits,oathMovingFactorSeed,strongPw1,strongPw2,sendRef,chalBtnTrig,hmacLT64`. Columns are counted from the right,
 * because the time is in the format of the computer's locale and may contain commas. The event is in its language.
 */
function parseTraditional(columns: string[]): Parsed<KeyEntry> {
  const [publicId = '', privateId = '', aesKey = '', current = '', next = ''] = columns.slice(-15, -10);
  const [event = ''] = columns;
  const isOtp = event === 'Yubico OTP';
  const isOther = /^(static password|oath-hotp|challenge-response|configuration )/i.test(event);
  const looksOther =
    columns.at(-7) !== '0' || publicId === '' || privateId === '' || /^([0-9a-f]{40})?$/i.test(aesKey);
  if (isOther || (!isOtp && looksOther)) return { skipped: NOT_AN_OTP_KEY };
  if (privateId === '') return { problem: 'the private ID is missing' };
  return parseKeyColumns({ serial: '', publicId, privateId, aesKey, accessCode: next || current });
}
