import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseYkmanLine } from '../../src/transfer/ykman.js';
import { anyLine } from '../support/transfer/arbitraries.js';

const AES = 'ecde18dbe76fbd0c33330f1c354871db';
const LINE = `7654321,vvccccifrnnb,13a94fb296e8,${AES},,2024-03-01T09:30:00,`;

describe('a line of ykman', () => {
  it('is a key', () => {
    expect(parseYkmanLine(LINE)).toMatchObject({
      entry: { publicId: 'vvccccifrnnb', notes: 'serial 7654321', active: true, hasAccessCode: false },
    });
    const withAccessCode = LINE.replace(',,', ',0102030405ab,');
    expect(parseYkmanLine(withAccessCode)).toMatchObject({ entry: { hasAccessCode: true } });
    expect(parseYkmanLine(LINE.replace('7654321', 'None'))).toMatchObject({ entry: { notes: '' } });
  });

  it('contains no key if it is blank', () => {
    expect(parseYkmanLine(' ')).toBeUndefined();
  });

  it.each([
    ['no last comma', LINE.slice(0, -1), 'columns is 6, not 7'],
    ['text after it', `${LINE}x`, 'after the last comma'],
    ['a time', LINE.replace('T', ' '), 'time'],
    ['no private ID', LINE.replace('13a94fb296e8', ''), 'private ID is missing'],
    ['a secret of 20 bytes', LINE.replace(AES, `${AES}00000000`), 'AES key'],
  ])('is refused for %s', (_, line, reason) => {
    const parsed = parseYkmanLine(line);
    expect(parsed).toEqual({ problem: expect.stringContaining(reason) });
    expect(JSON.stringify(parsed)).not.toContain(AES);
  });

  it('never throws', () => {
    fc.assert(fc.property(anyLine, (line) => void parseYkmanLine(line)));
  });
});
