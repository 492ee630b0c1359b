import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatYkvalClientsLine, parseYkvalClientsLine } from '../../src/transfer/ykval-clients.js';
import { hex } from '../support/command.js';
import { anyLine, notes } from '../support/transfer/arbitraries.js';

const SECRET = 'VcQW5h8W5DJnfOEkGUKR1jGbSgU=';
const LINE = `1,1,1359550387,${SECRET},user@example.com,the intranet,cccccccccccbubfncnklbknnkrfvfkbubftlfliikdrt`;

function parseEntry(line: string) {
  const parsed = parseYkvalClientsLine(line);
  if (!parsed || !('entry' in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed.entry;
}

describe('a line of ykval-export-clients', () => {
  it('is a client', () => {
    const { apiKey, ...entry } = parseEntry(LINE);
    expect(Buffer.from(apiKey).toString('base64')).toBe(SECRET);
    expect(entry).toEqual({ id: '1', notes: 'user@example.com the intranet', active: true });
  });

  it('may have tabs (old versions), commas in the notes, an inactive client, or nothing after the secret', () => {
    expect(parseEntry(LINE.replaceAll(',', '\t'))).toEqual(parseEntry(LINE));
    expect(parseEntry(LINE.replace('the intranet', 'a, b')).notes).toBe('user@example.com a, b');
    expect(parseEntry(LINE.replace('1,1,', '1,0,')).active).toBe(false);
    expect(parseEntry(`7,1,1359550387,${SECRET},,,`)).toMatchObject({ id: '7', notes: '' });
  });

  it('is split at its first separator, and may have active as PostgreSQL writes it', () => {
    expect(parseEntry(`7,0,1359550387,${SECRET},,a\tb,`)).toMatchObject({
      id: '7',
      active: false,
      notes: 'a\tb',
    });
    expect(parseEntry(`7,f,1359550387,${SECRET},,,`).active).toBe(false);
    expect(parseEntry(`7,t,1359550387,${SECRET},,,`).active).toBe(true);
  });

  it.each(['0,yesterday,VcQW5h8W5DJnfOEkGUKR1jGbSgU=', '0,1359550387,', 'f,1359550387,foobar'])(
    'of a deactivated client is reported as such, even if it cannot be read otherwise: %s',
    (rest) => {
      expect(parseYkvalClientsLine(`7,${rest},,,`)).toEqual({
        problem: expect.stringContaining('yubikey-otp clients disable 7'),
      });
    },
  );

  it('may be the output of ykval-gen-clients', () => {
    expect(parseEntry(`42,${SECRET}`)).toMatchObject({ id: '42', active: true, notes: '' });
  });

  it.each([
    ['1', 'columns'],
    [`x,${SECRET}`, 'client id'],
    [LINE.replace(/^1/, '1'.repeat(21)), 'client id'],
    [LINE.replace('1,1,', '1,2,'), 'active'],
    [LINE.replace('1359550387', 'yesterday'), 'created'],
    [LINE.replace(SECRET, 'foobar'), 'base64'],
    [LINE.replace(SECRET, SECRET.slice(0, -1)), 'base64'],
    ['1,', 'base64'],
  ])('is refused: %s', (line, reason) => {
    const parsed = parseYkvalClientsLine(line);
    expect(parsed).toEqual({ problem: expect.stringContaining(reason) });
    expect(JSON.stringify(parsed)).not.toContain(SECRET.slice(0, 8));
  });

  it('contains no client if it is a comment or blank, and never throws', () => {
    for (const line of ['', ' ', '# id,active']) expect(parseYkvalClientsLine(line)).toBeUndefined();
    fc.assert(fc.property(anyLine, (line) => void parseYkvalClientsLine(line)));
  });

  it('is read back from an export', () => {
    const id = fc.stringMatching(/^[0-9]{1,20}$/);
    const apiKey = fc.uint8Array({ minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(id, apiKey, notes, fc.boolean(), (id, apiKey, text, active) => {
        const record = { id, apiKey, notes: text, active, createdAt: new Date(1e12), revision: 'r' };
        const line = formatYkvalClientsLine(record);
        expect(line).not.toMatch(/\p{Cc}/u);
        const entry = parseEntry(line);
        expect([entry.id, hex(entry.apiKey), entry.active]).toEqual([id, hex(apiKey), active]);
        expect(formatYkvalClientsLine({ ...record, notes: entry.notes })).toBe(line);
      }),
    );
  });
});
