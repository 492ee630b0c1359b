import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { KEYBOARD_LAYOUTS } from '../../src/otp/keyboard.js';

const MODHEX = 'cbdefghijklnrtuv';

function table(name: string): string {
  const layout = KEYBOARD_LAYOUTS.find((candidate) => candidate.name === name);
  if (!layout) throw new Error(`no layout ${name}`);
  return layout.characters;
}

function typed(name: string, modhex: string): string {
  const characters = table(name);
  return Array.from(modhex, (letter) => characters.charAt(MODHEX.indexOf(letter))).join('');
}

/** The number of characters in both tables, or 0 if the tables agree about all of them. */
function sharedInConflict(a: string, b: string): number {
  const shared = Array.from(a).filter((character) => b.includes(character));
  return shared.some((character) => a.indexOf(character) !== b.indexOf(character)) ? shared.length : 0;
}

describe('KEYBOARD_LAYOUTS', () => {
  it.each(KEYBOARD_LAYOUTS)('$name: 16 distinct lower-case characters', ({ characters }) => {
    expect(characters).toHaveLength(16);
    expect(new Set(characters).size).toBe(16);
    expect(characters).not.toMatch(/[\p{C}\p{Z}]/u);
    expect(characters.toLowerCase()).toBe(characters);
  });

  it('has no duplicate layout, and none that types modhex unchanged', () => {
    expect(new Set(KEYBOARD_LAYOUTS.map(({ name }) => name)).size).toBe(KEYBOARD_LAYOUTS.length);
    const tables = [MODHEX, ...KEYBOARD_LAYOUTS.map(({ characters }) => characters)];
    expect(new Set(tables).size).toBe(tables.length);
  });

  it('starts with US Dvorak', () => {
    expect(KEYBOARD_LAYOUTS[0]).toEqual({ name: 'us(dvorak)', characters: 'jxe.uidchtnbpygk' });
  });

  it('differs from modhex only in the dotless i for the Turkish layout', () => {
    expect(table('tr')).toBe(MODHEX.replace('i', 'ı'));
  });

  // The rows of keys as printed on keyboards: each row of a QWERTY keyboard, without the letters that are not modhex.
  it.each([
    ['us(colemak)', 'fpglu', 'stdhnei', 'cvbk'],
    ['us(workman)', 'rwbfu', 'htgyneo', 'mcvk'],
    ['de(neo)', 'lcwhg', 'aeosnrt', 'äpzb'],
    ['tr(f)', 'ğıorn', 'eaütkml', 'vcçz'],
    ['fr(bepo)', 'poèvd', 'ie,ctsr', "x.k'"],
    ['ru', 'укегш', 'вапролд', 'смит'],
    ['bg(phonetic)', 'ертуи', 'дфгхйкл', 'цжбн'],
    ['rs', 'ертуи', 'дфгхјкл', 'цвбн'],
    ['gr', 'ερτθι', 'δφγηξκλ', 'ψωβν'],
    ['il', 'קראון', 'גכעיחלך', 'בהנמ'],
    ['ara', 'ثقفعه', 'يبلاتنم', 'ؤرﻻى'],
    ['ir', 'ثقفعه', 'یبلاتنم', 'زرذد'],
    ['ge', 'ერტუი', 'დფგჰჯკლ', 'ცვბნ'],
    ['th', 'ำพะีร', 'กดเ้่าส', 'แอิื'],
  ])('%s agrees with the keyboard', (name, top, home, bottom) => {
    expect(typed(name, 'ertui')).toBe(top);
    expect(typed(name, 'dfghjkl')).toBe(home);
    expect(typed(name, 'cvbn')).toBe(bottom);
  });

  it('can be read from capitals, except for the dotless i, whose capital is that of i', () => {
    const lost = KEYBOARD_LAYOUTS.filter(
      ({ characters }) => characters.toUpperCase().toLowerCase() !== characters,
    );
    expect(lost.map(({ name }) => name)).toEqual(['tr', 'tr(f)']);
    expect(table('tr').toUpperCase().toLowerCase()).toBe(MODHEX);
  });
});

describe('the ranking', () => {
  const pairs = KEYBOARD_LAYOUTS.flatMap((first, i) =>
    KEYBOARD_LAYOUTS.slice(i + 1).map((second) => ({ first, second })),
  );

  it('never decides between two layouts with the same set of characters', () => {
    const sets = [MODHEX, ...KEYBOARD_LAYOUTS.map(({ characters }) => characters)].map((characters) =>
      Array.from(characters).sort().join(''),
    );
    expect(new Set(sets).size).toBe(sets.length);
  });

  // These share 14 or 15 of 16 characters, so an OTP without the other characters is ambiguous.
  it('puts the better known layout first if an OTP can look like both', () => {
    const confusable = pairs.filter(
      ({ first, second }) => sharedInConflict(first.characters, second.characters) >= 14,
    );
    expect(confusable.map(({ first, second }) => [first.name, second.name])).toEqual([
      ['us(dvorak)', 'de(dvorak)'],
      ['us(colemak)', 'us(colemak_dh)'],
      ['us(colemak)', 'us(colemak_dh_iso)'],
    ]);
  });

  it('has no effect outside the Latin alphabet', () => {
    const exotic = pairs.filter(({ first, second }) =>
      [first, second].some(({ characters }) => !/[a-z]/.test(characters)),
    );
    const worst = exotic.map(({ first, second }) => sharedInConflict(first.characters, second.characters));
    expect(Math.max(...worst)).toBeLessThan(13);
  });

  it('leaves only Colemak that can be mistaken for modhex, for an OTP without s and p', () => {
    const alike = KEYBOARD_LAYOUTS.filter(({ characters }) => sharedInConflict(MODHEX, characters) >= 13);
    expect(alike.map(({ name }) => name)).toEqual(['us(colemak)']);
    expect(Array.from(table('us(colemak)')).filter((c) => !MODHEX.includes(c))).toEqual(['s', 'p']);
  });
});

describe('scripts/generate-keyboard-layouts.mjs', () => {
  const TOOLS_MISSING = 3;

  function run(flag: string) {
    const script = fileURLToPath(new URL('../../scripts/generate-keyboard-layouts.mjs', import.meta.url));
    return spawnSync(process.execPath, [script, flag], { encoding: 'utf8' });
  }

  function reasonToSkip(): string | undefined {
    const { status, stdout, stderr } = run('--header');
    if (status === TOOLS_MISSING) return process.env.CI ? undefined : stderr.trim();
    const source = readFileSync(new URL('../../src/otp/keyboard.ts', import.meta.url), 'utf8');
    const [checkedIn] = source.split('\n');
    if (status === 0 && stdout.trim() !== checkedIn) return 'other versions are installed than it came from';
    return undefined;
  }

  const reason = reasonToSkip();
  it.skipIf(reason)(`would write the file that is checked in${reason ? ` (skipped: ${reason})` : ''}`, () => {
    const { status, stderr } = run('--check');
    expect(status, stderr).toBe(0);
  });
});
