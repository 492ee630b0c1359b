import { randomBytes } from 'node:crypto';
import { type Command, Option } from 'commander';
import { encodeModhex } from 'passport-yubikey-otp/protocol';
import { withSecrets } from '../../database/session.js';
import { Refusal, SetupError } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { print, printJson, say } from '../../terminal/output.js';
import { parsePublicId } from '../../transfer/public-id.js';
import { warnOfStoredCounters } from './counters-exist.js';

interface Options extends GlobalOptions {
  serial?: string | undefined;
  publicId?: string | undefined;
  slot: string;
  notes?: string | undefined;
}

/** `yubikey-otp keys new` */
export function addKeysNew(parent: Command): void {
  parent
    .command('new')
    .description('make a new key, store it, and print the ykman command that programs a YubiKey with it')
    .option(
      '--serial <number>',
      'derive the public ID from this serial number, as ykman --serial-public-id does',
    )
    .addOption(
      new Option(
        '--public-id <modhex>',
        'the public ID of the new key (default: vv and 10 random letters)',
      ).conflicts('serial'),
    )
    .addOption(
      new Option(
        '--slot <slot>',
        'the slot to program; slot 1 of a new YubiKey holds the key that YubiCloud knows',
      )
        .choices(['1', '2'])
        .default('2'),
    )
    .option('--notes <text>', 'a text that helps to tell keys apart')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const publicId = choosePublicId(options);
      const [aesKey, privateId] = [randomBytes(16), randomBytes(6)];
      const notes = options.notes ?? (options.serial === undefined ? '' : `serial ${Number(options.serial)}`);
      await withSecrets(options, 'create', async ({ database, keys }) => {
        if (!(await keys.add({ publicId, aesKey, privateId, notes }))) {
          throw new Refusal(
            `The key ${publicId} is stored already; choose another public ID with --public-id`,
          );
        }
        await warnOfStoredCounters(
          database,
          publicId,
          `do not use this key, delete it (yubikey-otp keys delete ${publicId}), and make one with another public ID (--public-id, or a random one without --serial)`,
        );
      });
      await printNewKey(options, publicId, privateId.toString('hex'), aesKey.toString('hex'));
    });
}

async function printNewKey(
  options: Options,
  publicId: string,
  privateId: string,
  aesKey: string,
): Promise<void> {
  const device = options.serial === undefined ? '' : `--device ${Number(options.serial)} `;
  const ids = `--public-id ${publicId} --private-id ${privateId} --key ${aesKey}`;
  const command = `ykman ${device}otp yubiotp ${options.slot} ${ids}`;
  say(
    `Stored ${publicId}. This command contains the secrets of the key and is shown only now; run it where nobody else can see it:`,
  );
  if (options.json) await printJson({ publicId, privateId, aesKey, command });
  else await print(`${command}\n`);
}

function choosePublicId({ serial, publicId }: Options): string {
  if (publicId !== undefined) return parseWholeBytePublicId(publicId);
  return serial === undefined ? `vv${encodeModhex(randomBytes(5))}` : derivePublicId(serial);
}

/** Refuses an odd number of letters: each letter is half a byte, and a YubiKey is programmed with whole bytes. */
function parseWholeBytePublicId(text: string): string {
  const publicId = parsePublicId(text);
  if (publicId === '') {
    throw new SetupError(
      "ykman cannot program an empty public ID: give --public-id 2 to 16 letters, or program the YubiKey with another tool and store its key with: yubikey-otp keys add ''",
    );
  }
  if (publicId.length % 2 === 0) return publicId;
  throw new SetupError('--public-id takes an even number of letters');
}

/** The public ID that ykman derives from a serial number: `vvcc` and the number as four bytes in modhex. */
function derivePublicId(serial: string): string {
  const number = /^\d{1,10}$/.test(serial) ? Number(serial) : Number.NaN;
  if (!(number <= 0xffff_ffff)) throw new SetupError('--serial takes the decimal serial number of a YubiKey');
  const bytes = Buffer.from([0xff, 0, 0, 0, 0, 0]);
  bytes.writeUInt32BE(number, 2);
  return encodeModhex(bytes);
}
