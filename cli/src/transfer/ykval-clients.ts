import { formatApiKey, isClientId, parseApiKey } from 'passport-yubikey-otp/protocol';
import type { ClientRecord, NewClient } from 'passport-yubikey-otp/stores';
import { oneLine } from '../terminal/output.js';
import type { Parsed } from './line.js';
import { findDelimiter, isUnixTime, parseActive, unixTime } from './ykval.js';

export interface ClientEntry extends NewClient {
  readonly notes: string;
  readonly active: boolean;
}

/**
 * Reads a line of `ykval-export-clients`, `id,active,created,secret,email,notes,otp` (old versions separate by tabs), or of
 * `ykval-gen-clients`, `id,secret`. The e-mail address becomes part of the notes. The OTP that ordered the API key is used
 * up, and is not stored.
 */
export function parseYkvalClientsLine(text: string): Parsed<ClientEntry> {
  if (text.trim() === '' || text.startsWith('#')) return undefined;
  const delimiter = findDelimiter(text);
  const untrimmed = text.split(delimiter);
  const columns = untrimmed.map((column) => column.trim());
  if (columns.length === 2) {
    const [id = '', secret = ''] = columns;
    return parseClient(id, secret, '', true);
  }
  if (columns.length < 5) {
    return { problem: `the number of columns is ${columns.length}, not 7 (or 2 from ykval-gen-clients)` };
  }
  const [id = '', first = '', created = '', secret = '', email = ''] = columns;
  const active = parseActive(first);
  if (active === undefined) return { problem: 'the column active is neither 0 nor 1' };
  const notes = untrimmed
    .slice(5, Math.max(6, columns.length - 1))
    .join(delimiter)
    .trim();
  const parsed: Parsed<ClientEntry> = isUnixTime(created)
    ? parseClient(id, secret, [email, notes].filter((part) => part !== '').join(' '), active)
    : { problem: 'the column created is not a number of seconds since 1970' };
  if (!parsed || !('problem' in parsed) || active || !isClientId(id)) return parsed;
  return {
    problem: `${parsed.problem}; the client ${id} is deactivated in this line: if it is active here, disable it with yubikey-otp clients disable ${id}`,
  };
}

function parseClient(id: string, secret: string, notes: string, active: boolean): Parsed<ClientEntry> {
  if (!isClientId(id)) return { problem: 'the client id is not 1 to 20 decimal digits' };
  try {
    return { entry: { id, apiKey: parseApiKey(secret), notes, active } };
  } catch {
    return { problem: 'the secret is not an API key in base64' };
  }
}

/**
 * Formats a client for `ykval-import-clients` and {@link parseYkvalClientsLine}, without the line end. The line is secret.
 */
export function formatYkvalClientsLine({ id, apiKey, active, createdAt, notes }: ClientRecord): string {
  const secret = formatApiKey(apiKey);
  // The format does not allow commas in notes.
  const text = oneLine(notes).replaceAll(',', ';').replaceAll('"', "'");
  return [id, active ? 1 : 0, unixTime(createdAt), secret, '', text, ''].join(',');
}
