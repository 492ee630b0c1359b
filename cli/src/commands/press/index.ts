import type { Command } from 'commander';
import { SoftYubikey, type SoftYubikeyState } from 'passport-yubikey-otp/testing';
import { quoteForShell } from '../../database/shell.js';
import { exclusively } from '../../files/exclusively.js';
import { SetupError } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { print, printJson, say } from '../../terminal/output.js';
import { enrol, warnUnlessEnrolled } from './enrolment.js';
import { readState } from './state-file.js';
import { type TouchOptions, touch } from './touch.js';

interface Options extends GlobalOptions, TouchOptions {
  count: string;
  enrol?: boolean | undefined;
}

const MAX_COUNT = 100_000;

/** `yubikey-otp press` */
export function addPress(program: Command): void {
  program
    .command('press')
    .description(
      'touch a virtual YubiKey, for tests and demos: prints a fresh OTP; the first run makes and stores the key',
    )
    .option('--file <path>', 'the file with the virtual YubiKey and its secrets', './virtual-yubikey.json')
    .option('--count <number>', 'how many times to touch it', '1')
    .option('--replug', 'unplug it and plug it in again first')
    .option('--caps-lock', 'type with caps lock on')
    .option('--layout <name>', 'type on this keyboard layout, given by its xkb name, such as us(dvorak)')
    .option('--enrol', 'store the key in the database if it is not stored there')
    .addHelpText('after', '\n  $ yubikey-otp press | xargs yubikey-otp verify')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const count = parseCount(options.count);
      assertLayout(options.layout);
      const otps = await exclusively(options.file, async () => touch(await plugIn(options), count, options));
      if (options.json) await printJson(otps);
      else await print(otps.map((otp) => `${otp}\n`).join(''));
    });
}

/** Reads the key from its file, or makes a new one, which is stored in the database first. */
async function plugIn(options: Options): Promise<SoftYubikeyState> {
  const state = await readState(options.file);
  const yubikey = state ? SoftYubikey.fromJSON(state) : new SoftYubikey();
  const { publicId } = yubikey;
  if (state && !options.enrol) {
    await warnUnlessEnrolled(options, publicId);
    return state;
  }
  await enrol(options, yubikey);
  if (state) {
    say(`Stored ${publicId} in the database`);
  } else {
    say(`Made the virtual YubiKey ${publicId} in ${options.file}, and stored it in the database.`);
    say(
      `For tests and demos only: anyone who can read that file can sign in as this key. To remove the key: yubikey-otp keys delete ${quoteForShell(publicId)}`,
    );
  }
  return yubikey.toJSON();
}

function parseCount(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_COUNT) return count;
  throw new SetupError(`--count takes a number from 1 to ${MAX_COUNT}`);
}

function assertLayout(layout: string | undefined): void {
  if (layout === undefined) return;
  try {
    new SoftYubikey({ layout });
  } catch (error) {
    throw new SetupError(`--layout: ${(error as Error).message}`);
  }
}
