import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counters, publicId } from '../../../test/support/arbitraries.js';
import { formatYkvalLine, parseYkvalLine } from '../../src/transfer/ykval.js';
import { anyLine } from '../support/transfer/arbitraries.js';

const LINE = '1,1359470658,1359470659,cccccccccccb,2,1,32729,4,aoincuhfuahsaoin,';

describe('a line of ykval-export', () => {
  it('has the counters of a key', () => {
    expect(parseYkvalLine(LINE)).toEqual({
      entry: {
        publicId: 'cccccccccccb',
        counters: { usageCounter: 2, sessionUse: 1, timestamp: 4 * 65536 + 32729 },
        nonce: 'aoincuhfuahsaoin',
        acceptedAt: new Date(1359470659000),
        active: true,
      },
    });
  });

  it('may have tabs (old versions), notes or none, and an inactive key', () => {
    expect(parseYkvalLine(LINE.replaceAll(',', '\t'))).toEqual(parseYkvalLine(LINE));
    expect(parseYkvalLine(LINE.slice(0, -1))).toEqual(parseYkvalLine(LINE));
    expect(parseYkvalLine(`${LINE}lost, found`)).toEqual(parseYkvalLine(LINE));
    expect(parseYkvalLine(`0${LINE.slice(1)}`)).toMatchObject({ entry: { active: false } });
  });

  it('has the caps-lock bit masked', () => {
    const line = LINE.replace(',2,1,', `,${0x8000 + 7},1,`);
    expect(parseYkvalLine(line)).toMatchObject({ entry: { counters: { usageCounter: 7 } } });
  });

  it('keeps the counters if the nonce is invalid', () => {
    for (const nonce of ['', 'not a nonce', 'x'.repeat(41)]) {
      expect(parseYkvalLine(LINE.replace('aoincuhfuahsaoin', nonce))).toMatchObject({
        entry: { nonce: undefined },
      });
    }
  });

  it('contains no counters if it is a comment or blank, and is skipped for a key that was never used', () => {
    for (const line of ['', '  ', '# 1,2,3']) expect(parseYkvalLine(line)).toBeUndefined();
    expect(
      parseYkvalLine('0,1359470658,1359470658,cccccccccccb,-1,-1,-1,-1,0000000000000000,'),
    ).toMatchObject({
      entry: { publicId: 'cccccccccccb', counters: undefined, active: false },
    });
    expect(parseYkvalLine('1,1359470658,1359470658,cccccccccccb,-1,-1,-1,-1,0000000000000000,')).toEqual({
      skipped: expect.any(String),
    });
  });

  it.each([
    ['-1 in modified and in all counters', '1359470658,-1,cccccccccccb,-1,-1,-1,-1,0000000000000000,'],
    ['nothing for NULL', '1359470658,,cccccccccccb,,,,,,'],
    ['NULL', '1359470658,NULL,cccccccccccb,NULL,NULL,NULL,NULL,NULL,NULL'],
    ['NULL as PostgreSQL copies it', '1359470658,\\N,cccccccccccb,\\N,\\N,\\N,\\N,\\N,\\N'],
    ['no time at all', ',,cccccccccccb,-1,-1,-1,-1,,'],
    ['an invalid time', 'then,later,cccccccccccb,-1,-1,-1,-1,,'],
  ])('shows that the key was never used by %s', (_, line) => {
    expect(parseYkvalLine(`1,${line}`)).toEqual({ skipped: expect.any(String) });
    expect(parseYkvalLine(`0,${line}`)).toEqual({
      entry: {
        publicId: 'cccccccccccb',
        counters: undefined,
        nonce: undefined,
        acceptedAt: new Date(0),
        active: false,
      },
    });
  });

  it('may belong to the key with the empty public ID', () => {
    for (const line of ['0,1551690000,-1,,-1,-1,-1,-1,,', `0${LINE.slice(1)}`.replace('cccccccccccb', '')])
      expect(parseYkvalLine(line)).toMatchObject({ entry: { publicId: '', active: false } });
  });

  it('keeps the counters where it does not tell when', () => {
    for (const line of [LINE.replace('1359470659', '-1'), LINE.replace('1359470658', 'in 2013')])
      expect(parseYkvalLine(line)).toMatchObject({ entry: { counters: { usageCounter: 2 } } });
  });

  it.each([
    ['modified', LINE.replace('1359470659', '2013-01-29')],
    ['yk_counter', LINE.replace(',2,', ',65536,')],
    ['yk_counter', LINE.replace(',2,', ',?,')],
    ['yk_use', LINE.replace(',1,32729', ',-1,32729')],
    ['yk_low', LINE.replace('32729', '')],
    ['yk_high', LINE.replace(',4,', ',256,')],
  ])('of a deactivated key is reported as such, even if its %s cannot be read', (column, line) => {
    expect(parseYkvalLine(line)).toEqual({ problem: expect.stringContaining(column) });
    expect(parseYkvalLine(`0${line.slice(1)}`)).toEqual({
      entry: {
        publicId: 'cccccccccccb',
        counters: undefined,
        nonce: undefined,
        acceptedAt: new Date(0),
        active: false,
        problem: expect.stringContaining(column),
      },
    });
  });

  it('is split at its first separator, since notes may contain the other one', () => {
    expect(parseYkvalLine(`0${LINE.slice(1)}lost\tin the office`)).toMatchObject({
      entry: { active: false },
    });
    expect(parseYkvalLine(`0${LINE.slice(1)}lost, found`.replaceAll(/,(?! )/g, '\t'))).toMatchObject({
      entry: { publicId: 'cccccccccccb', active: false },
    });
  });

  it('may have active as PostgreSQL writes it, and as PHP wrote its false in the old format', () => {
    const off = `0${LINE.slice(1)}`;
    for (const on of ['t', 'true']) expect(parseYkvalLine(on + LINE.slice(1))).toEqual(parseYkvalLine(LINE));
    for (const no of ['f', 'false']) expect(parseYkvalLine(no + LINE.slice(1))).toEqual(parseYkvalLine(off));
    expect(parseYkvalLine(LINE.slice(1).replaceAll(',', '\t'))).toEqual(parseYkvalLine(off));
  });

  it.each([
    ['active', LINE.slice(1)],
    ['active', LINE.replace(/^1/, '2')],
    ['active', LINE.replace(/^1/, 'no')],
    ['public ID', `0${LINE.slice(1)}`.replace('cccccccccccb', 'CCCCCCCCCCCB')],
    ['public ID', `0${LINE.slice(1)}`.replace('cccccccccccb', 'cccccccccccbcccccc')],
    ['active', `constructor${LINE.slice(1)}`],
    ['public ID', '0,1359470658,1359470659,,5,,,,,'],
    ['public ID', '0,,,,,,,,,'],
    ['columns', '0,1359470658,-1,cccccccccccb,-1'],
    ['columns', '0,cccccccccccb'],
    ['public ID', '0,dlcfffckrcde,ca62baca62ba,ecde18dbe76fbd0c33330f1c354871db,,,,,'],
  ])('disables nothing by guessing: %s in %s', (column, line) => {
    expect(parseYkvalLine(line)).toEqual({ problem: expect.stringContaining(column) });
  });

  it.each([
    ['1,1359470658', 'columns'],
    [LINE.replace(/^1/, 'yes'), 'active'],
    [LINE.replace('1359470659', '2013-01-29'), 'modified'],
    [LINE.replace('cccccccccccb', 'cccccccccccx'), 'public ID'],
    [LINE.replace(',2,', ',65536,'), 'yk_counter'],
    [LINE.replace(',2,', ',-2,'), 'yk_counter'],
    [LINE.replace(',2,', ',2.5,'), 'yk_counter'],
    [LINE.replace(',1,32729', ',256,32729'), 'yk_use'],
    [LINE.replace('32729', '65536'), 'yk_low'],
    [LINE.replace(',4,', ',256,'), 'yk_high'],
  ])('is refused: %s', (line, reason) => {
    expect(parseYkvalLine(line)).toEqual({ problem: expect.stringContaining(reason) });
  });

  it('never throws', () => {
    fc.assert(fc.property(anyLine, (line) => void parseYkvalLine(line)));
  });

  it('is read back from an export', () => {
    const nonce = fc.option(fc.stringMatching(/^[A-Za-z0-9]{16,40}$/), { nil: undefined });
    const seconds = fc.integer({ min: 0, max: 4e9 });
    fc.assert(
      fc.property(publicId, counters, nonce, seconds, fc.boolean(), (id, values, given, at, active) => {
        const acceptedAt = new Date(at * 1000);
        const listed = { publicId: id, ...values, nonce: given, acceptedAt, acceptedCount: 1 };
        const line = formatYkvalLine(listed, { active, createdAt: new Date(0) });
        expect(parseYkvalLine(line)).toEqual({
          entry: { publicId: id, counters: values, nonce: given, acceptedAt, active },
        });
      }),
    );
  });
});
