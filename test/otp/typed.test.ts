import { describe, expect, it } from 'vitest';
import { KEYBOARD_LAYOUTS } from '../../src/otp/keyboard.js';
import { isModhex, MODHEX_ALPHABET } from '../../src/otp/modhex.js';
import { parseOtp } from '../../src/otp/otp.js';
import { SoftYubikey } from '../../src/testing/index.js';

const OTPS = 200;

/** Touches on a computer with this layout: the text that the key typed, and the OTP that it meant. */
function touches(layout: string, publicId?: string): { typed: string; meant: string }[] {
  const yubikey = new SoftYubikey({ publicId, layout });
  const { characters } = KEYBOARD_LAYOUTS.find(({ name }) => name === layout) as { characters: string };
  const letters = new Map([...characters].map((typed, value) => [typed, MODHEX_ALPHABET.charAt(value)]));
  return Array.from({ length: OTPS }, () => {
    const typed = yubikey.press();
    return { typed, meant: [...typed].map((character) => letters.get(character)).join('') };
  });
}

/** Whether modhex or a higher-ranked layout also explains the typed text. */
function looksLikeAnother(typed: string, layout: string): boolean {
  const rank = KEYBOARD_LAYOUTS.findIndex(({ name }) => name === layout);
  const earlier = KEYBOARD_LAYOUTS.slice(0, rank).map(({ characters }) => new Set(characters));
  return (
    isModhex(typed) || earlier.some((letters) => [...typed].every((character) => letters.has(character)))
  );
}

const latin = KEYBOARD_LAYOUTS.filter(({ characters }) => /[a-z]/.test(characters));
const others = KEYBOARD_LAYOUTS.filter((layout) => !latin.includes(layout));

describe('an OTP typed on a computer with the layout', () => {
  it.each(latin)(
    '$name is read as the OTP that was meant, unless it looks like a higher-ranked layout',
    ({ name }) => {
      for (const { typed, meant } of touches(name)) {
        const { value } = parseOtp(typed);
        if (looksLikeAnother(typed, name)) expect(value).toMatch(/^[cbdefghijklnrtuv]{44}$/);
        else expect(value).toBe(meant);
      }
    },
  );

  it.each(others)('$name is always read as the OTP that was meant', ({ name }) => {
    for (const { typed, meant } of touches(name)) expect(parseOtp(typed).value).toBe(meant);
  });

  it.each(KEYBOARD_LAYOUTS)(
    '$name is always read as the OTP that was meant if the OTP has every letter',
    ({ name }) => {
      for (const { typed, meant } of touches(name, MODHEX_ALPHABET))
        expect(parseOtp(typed).value).toBe(meant);
    },
  );

  it('us(dvorak) is ranked first, so all its text that is not modhex is read as the OTP that was meant', () => {
    expect(parseOtp('jxe.uidchtnbpygk'.repeat(2)).value).toBe(MODHEX_ALPHABET.repeat(2));
    for (const { typed, meant } of touches('us(dvorak)')) {
      expect(parseOtp(typed).value).toBe(isModhex(typed) ? typed : meant);
    }
  });

  const ownCapitals = KEYBOARD_LAYOUTS.filter(
    ({ characters }) => characters.toUpperCase().toLowerCase() === characters,
  );
  it.each(ownCapitals)('$name survives caps lock', ({ name }) => {
    for (const { typed, meant } of touches(name, MODHEX_ALPHABET)) {
      expect(parseOtp(`${typed.toUpperCase()}\n`).value).toBe(meant);
    }
  });

  it('tr survives caps lock, although the capital of its dotless i is that of i', () => {
    for (const { typed, meant } of touches('tr')) expect(parseOtp(typed.toUpperCase()).value).toBe(meant);
  });
});
