import type { Command } from 'commander';
import { type Otp, type Pinning, pinPrivateId } from 'passport-yubikey-otp';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import { type Database, warnUnlessDurable } from '../../database/database.js';
import { withSecrets } from '../../database/session.js';
import { Refusal, SetupError } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { readOtp } from '../../terminal/otp-input.js';
import { printJson, say } from '../../terminal/output.js';
import { askOnce } from '../../terminal/prompt.js';
import { parsePublicId } from '../../transfer/public-id.js';

/** `yubikey-otp keys pin PUBLIC_ID` */
export function addKeysPin(parent: Command): void {
  parent
    .command('pin')
    .argument('<public-id>', 'the public ID of a key that was added without a private ID')
    .description('take the private ID of a key from a fresh OTP, and store it')
    .action(async (text: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const publicId = parsePublicId(text);
      await withSecrets(options, 'refuse', async ({ database, keys }) => {
        if (!(await keys.get(publicId))) throw new Refusal(`There is no key ${publicId}`);
        const read = readOtp(await askOnce('Touch the key: '));
        if ('problem' in read) throw new SetupError(`${read.problem}; nothing was changed`);
        if (read.otp.publicId !== publicId) {
          throw new SetupError(`This OTP is not from the key ${publicId}; nothing was changed`);
        }
        const result = await pinFromOtp(database, keys, read.otp);
        if (options.json) await printJson({ publicId, result: result === 'PINNED' ? 'pinned' : 'unchanged' });
        else if (result === 'PINNED') say(`Pinned the private ID of ${publicId}`);
        else say(`${publicId} has this private ID already`);
      });
    });
}

/**
 * Uses the OTP up, and pins the private ID that it contains.
 *
 * @throws Refusal for an OTP that another key made, or that was used before.
 */
export async function pinFromOtp(
  database: Database,
  keys: KeyStore,
  otp: Otp,
): Promise<'PINNED' | 'ALREADY_PINNED'> {
  warnUnlessDurable(database);
  const pinning = await pinPrivateId(keys, database.counters, otp);
  if (pinning === 'PINNED' || pinning === 'ALREADY_PINNED') return pinning;
  throw toRefusal(otp, pinning);
}

function toRefusal({ publicId }: Otp, reason: Exclude<Pinning, 'PINNED' | 'ALREADY_PINNED'>): Refusal {
  const reasons = {
    UNKNOWN_KEY: `There is no active key ${publicId}`,
    CORRUPT_OTP: `This OTP does not fit the AES key or the private ID of ${publicId}`,
    REPLAYED_OTP: `This OTP of ${publicId} is not fresh: touch the key again; a YubiKey that was programmed again needs another public ID`,
  };
  return new Refusal(`${reasons[reason]}; nothing was stored`);
}
