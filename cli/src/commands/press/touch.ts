import { SoftYubikey, type SoftYubikeyState } from 'passport-yubikey-otp/testing';
import { Refusal } from '../../terminal/failure.js';
import { writeState } from './state-file.js';

export interface TouchOptions {
  file: string;
  replug?: boolean | undefined;
  capsLock?: boolean | undefined;
  layout?: string | undefined;
}

/** Touches the key. Returns the OTPs only after their counters are on disk, so that no later touch repeats them. */
export async function touch(
  state: SoftYubikeyState,
  count: number,
  { file, replug = false, capsLock = false, layout }: TouchOptions,
): Promise<string[]> {
  const yubikey = SoftYubikey.fromJSON(layout === undefined ? state : { ...state, layout });
  if (replug) yubikey.replug();
  const otps: string[] = [];
  let last = countTouches(state);
  while (otps.length < count) {
    otps.push(yubikey.press({ capsLock }));
    const touches = countTouches(yubikey.toJSON());
    if (touches <= last) {
      throw new Refusal(
        `The virtual YubiKey in ${file} has no OTPs left: remove the file, and press makes a new one`,
      );
    }
    last = touches;
  }
  // The layout is only for this touch: the file keeps its own.
  const { layout: _, ...touched } = yubikey.toJSON();
  await writeState(file, { ...state, ...touched });
  return otps;
}

/** A number that rises with every touch, until the usage counter stops at its end. */
function countTouches({ usageCounter, sessionUse = 0 }: SoftYubikeyState): number {
  return usageCounter * 256 + sessionUse;
}
