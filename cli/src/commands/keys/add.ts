import type { Command } from 'commander';
import { type Otp, parseAesKey, parsePrivateId } from 'passport-yubikey-otp';
import { MemoryStore, type NewKey } from 'passport-yubikey-otp/stores';
import type { Database } from '../../database/database.js';
import { withSecrets } from '../../database/session.js';
import { quoteForShell } from '../../database/shell.js';
import { Refusal, SetupError } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { readOtp } from '../../terminal/otp-input.js';
import { printJson, say, warn } from '../../terminal/output.js';
import { openPrompt } from '../../terminal/prompt.js';
import { parsePublicId } from '../../transfer/public-id.js';
import { warnOfStoredCounters } from './counters-exist.js';
import { pinFromOtp } from './pin.js';

interface Options extends GlobalOptions {
  notes: string;
}

/** The secrets of a key: its AES key, and its private ID, an OTP that contains the private ID, or neither. */
interface KeySecrets {
  aesKey: Buffer;
  privateId?: Buffer | undefined;
  otp?: Otp | undefined;
}

/** `yubikey-otp keys add PUBLIC_ID` */
export function addKeysAdd(parent: Command): void {
  parent
    .command('add')
    .argument('<public-id>', 'the public ID of the key')
    .description('store a key that is already in a YubiKey')
    .option('--notes <text>', 'a text that helps to tell keys apart', '')
    .addHelpText(
      'after',
      `
Asks for the AES key and then for the private ID, without showing them. Instead of typing the private ID, you can touch
the YubiKey. Without a terminal, both are lines of standard input:

  $ printf '%s\\n' "$AES_KEY" "$PRIVATE_ID" | yubikey-otp keys add vvcccccccccb`,
    )
    .action(async (text: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const publicId = parsePublicId(text);
      await withSecrets(options, 'create', async ({ database, keys }) => {
        // If the stored key does not open, this throws an error that says why, and advises against deleting it.
        if (await keys.get(publicId)) throw takenRefusal(publicId);
        await warnOfStoredCounters(database, publicId, 'give such a YubiKey another public ID');
        const { aesKey, otp, ...typed } = await askForSecrets(publicId);
        const privateId =
          otp === undefined ? typed.privateId : await pinInMemory(otp, { publicId, aesKey }, database);
        if (!(await keys.add({ publicId, aesKey, privateId, notes: options.notes })))
          throw takenRefusal(publicId);
        const hasPrivateId = privateId !== undefined;
        if (!hasPrivateId) {
          warn(
            `${publicId} has no private ID. Its OTPs are refused until you pin the private ID: yubikey-otp keys pin ${quoteForShell(publicId)}`,
          );
        }
        if (options.json) await printJson({ publicId, hasPrivateId });
        else say(`Added ${publicId}`);
      });
    });
}

/** Pins the private ID in memory, before the key is stored, so that a wrong OTP leaves nothing behind. */
async function pinInMemory(otp: Otp, key: NewKey, database: Database): Promise<Uint8Array | undefined> {
  const { keys } = new MemoryStore();
  await keys.add(key);
  await pinFromOtp(database, keys, otp);
  return (await keys.get(key.publicId))?.privateId;
}

async function askForSecrets(publicId: string): Promise<KeySecrets> {
  const prompt = openPrompt();
  try {
    const aesKey = parseTypedAesKey(await prompt.ask('AES key (32 hexadecimal digits, or base64): '));
    const answer = await prompt.ask('Private ID (12 hexadecimal digits), or touch the key; Enter for none: ');
    if (answer === '') return { aesKey };
    return { aesKey, ...parseTypedProof(answer, publicId) };
  } finally {
    prompt.close();
  }
}

function parseTypedAesKey(text: string): Buffer {
  try {
    return parseAesKey(text);
  } catch (error) {
    throw new SetupError(`${(error as Error).message}; nothing was added`);
  }
}

/** A private ID cannot be an OTP, which is longer. */
function parseTypedProof(answer: string, publicId: string): Pick<KeySecrets, 'privateId' | 'otp'> {
  try {
    return { privateId: parsePrivateId(answer) };
  } catch {
    return { otp: parseTypedOtp(answer, publicId) };
  }
}

function parseTypedOtp(text: string, publicId: string): Otp {
  const read = readOtp(text);
  if ('problem' in read) {
    throw new SetupError('This is neither 12 hexadecimal digits nor an OTP; nothing was added');
  }
  if (read.otp.publicId === publicId) return read.otp;
  throw new SetupError(`This OTP is not from the key ${publicId}; nothing was added`);
}

function takenRefusal(publicId: string): Refusal {
  return new Refusal(
    `The key ${publicId} is stored already. A YubiKey that was programmed again needs another public ID, because ` +
      'the counters of this one stay, even if its key is deleted. Delete the key and add it again only to correct a mistake',
  );
}
