import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatYkksmLine, parseYkksmLine } from '../../src/transfer/ykksm.js';
import { hex } from '../support/command.js';
import { anyLine, keyRecord } from '../support/transfer/arbitraries.js';

const AES = 'ecde18dbe76fbd0c33330f1c354871db';
const LINE = `4711,dlcfffckrcde,ca62baca62ba,${AES},be70aeca62ba,2009-01-22 00:25:11,2009-02-13 00:05:40`;

function parseEntry(line: string) {
  const parsed = parseYkksmLine(line);
  if (!parsed || !('entry' in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed.entry;
}

describe('a line of a ykksm file', () => {
  it('is a key', () => {
    const { aesKey, privateId, ...entry } = parseEntry(LINE);
    expect([hex(aesKey), hex(privateId)]).toEqual([AES, 'ca62baca62ba']);
    expect(entry).toEqual({
      publicId: 'dlcfffckrcde',
      notes: 'serial 4711',
      active: true,
      hasAccessCode: true,
    });
  });

  // The examples in the description of the format, and lines of ykksm-export and ykksm-gen-keys.
  it.each([
    [
      `4711,dlcfffckrcde,ca62baca62ba,${AES},be70aeca62ba,2009-01-22 00:25:11,`,
      'dlcfffckrcde',
      'serial 4711',
    ],
    [`4712,,ca62baca62ba,${AES},be70aeca62ba,2009-01-22 00:25:11,2009-02-13 00:05:40`, '', 'serial 4712'],
    [`${LINE.replace('dlcfffckrcde', 'dlcfffckrcdedlcf')},4711`, 'dlcfffckrcdedlcf', 'serial 4711'],
    [`1,cccccccccccb,4711a1ad5f4c,${AES},1d6a7a8fcc41,2009-02-25T12:24:58,`, 'cccccccccccb', 'serial 1'],
    [`0,cccccccccccb,4711a1ad5f4c,${AES},000000000000,,`, 'cccccccccccb', ''],
    [`,cccccccccccb,4711a1ad5f4c,${AES.toUpperCase()},,,`, 'cccccccccccb', ''],
    [`${LINE} # of Alice # spare`, 'dlcfffckrcde', 'serial 4711, of Alice # spare'],
    [` 4711 , dlcfffckrcde , ca62baca62ba , ${AES} , , , `, 'dlcfffckrcde', 'serial 4711'],
  ])('%s', (line, publicId, notes) => {
    expect(parseEntry(line)).toMatchObject({ publicId, notes, active: true });
  });

  it('has an access code unless that is empty or zero', () => {
    expect(parseEntry(LINE.replace('be70aeca62ba', '000000000000')).hasAccessCode).toBe(false);
    expect(parseEntry(LINE.replace('be70aeca62ba', '')).hasAccessCode).toBe(false);
  });

  it.each(['', '   ', '# ykksm 1', '  # the end', '# serialnr,identity,internaluid,aeskey,lockpw,created'])(
    'is a comment or blank: %j',
    (line) => {
      expect(parseYkksmLine(line)).toBeUndefined();
    },
  );

  it.each([
    ['too few columns', 'No data?!', 'columns is 1, not 7'],
    ['too many', `${LINE},0,0`, 'columns is 9, not 7'],
    ['a serial number', LINE.replace('4711', 'AB'), 'serial number'],
    ['hex for modhex', LINE.replace('dlcfffckrcde', 'ca62baca62ba'), 'public ID'],
    ['a public ID that is too long', LINE.replace('dlcfffckrcde', 'dlcfffckrcdedlcfc'), 'public ID'],
    ['a short private ID', LINE.replace('ca62baca62ba', 'ca62baca62'), 'private ID'],
    ['an AES key of 192 bits', LINE.replace(AES, AES + AES.slice(16)), 'has 48 hexadecimal digits'],
    ['an AES key of 256 bits', LINE.replace(AES, AES + AES), 'has 64 hexadecimal digits'],
    ['an AES key in modhex', LINE.replace(AES, 'urtubjtnuihvntcreeeecvbregfjibtn'), 'AES key'],
    ['no AES key', LINE.replace(AES, ''), 'AES key'],
    ['an access code', LINE.replace('be70aeca62ba', 'secret'), 'access code'],
    ['a date', LINE.replace('2009-01-22', '22/01/2009'), 'date'],
    ['progflags', `${LINE},x`, 'progflags'],
  ])('is refused for %s, without being repeated', (_, line, reason) => {
    const parsed = parseYkksmLine(line);
    expect(parsed).toEqual({ problem: expect.stringContaining(reason) });
    const text = JSON.stringify(parsed);
    for (const secret of [AES, 'ca62baca62', 'be70aeca62ba', 'urtubjtn']) expect(text).not.toContain(secret);
  });

  it('never throws', () => {
    fc.assert(fc.property(anyLine, (line) => void parseYkksmLine(line)));
  });
});

describe('the export', () => {
  it('is read back as the same key', () => {
    fc.assert(
      fc.property(keyRecord, (key) => {
        const line = formatYkksmLine(key);
        expect(line).not.toMatch(/\p{Cc}/u);
        const { aesKey, privateId, publicId, active, notes } = parseEntry(line);
        expect([publicId, hex(aesKey), hex(privateId), active]).toEqual([
          key.publicId,
          hex(key.aesKey),
          hex(key.privateId),
          key.active,
        ]);
        // A second export is the same as the first.
        expect(formatYkksmLine({ ...key, active, notes })).toBe(line);
      }),
    );
  });

  it.each([
    ['[disabled]', true, '# [active] [disabled]'],
    ['[disabled] in 2019, back since', true, '# [active] [disabled] in 2019, back since'],
    ['serial 1, [active] at night', true, '# [active] [active] at night'],
    ['[active]', false, '# [disabled] [active]'],
    ['[disabled]', false, '# [disabled] [disabled]'],
    ['active', true, '# active'],
  ])('is read back with the notes %j of a key with active %s', (notes, active, remark) => {
    const key = {
      publicId: 'cc',
      aesKey: Buffer.alloc(16),
      privateId: undefined,
      createdAt: new Date(0),
      revision: '',
    };
    const line = formatYkksmLine({ ...key, notes, active });
    expect(line.slice(line.indexOf('#'))).toBe(remark);
    expect(parseEntry(line)).toMatchObject({ notes, active });
  });

  it('matches the pattern of ykksm-import', () => {
    // The pattern in the description of the format: everything but the dates is required.
    const pattern =
      /^([0-9]+),([cbdefghijklnrtuv]+),([0-9a-f]+),([0-9a-f]+),([0-9a-f]+),([T:0-9 -]*),([T:0-9 -]*)/;
    fc.assert(
      fc.property(keyRecord, (key) => {
        fc.pre(key.publicId !== '' && key.privateId !== undefined);
        expect(formatYkksmLine(key)).toMatch(pattern);
      }),
    );
  });
});
