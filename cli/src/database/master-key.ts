import { existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Keyring, newMasterKey, parseKeyring } from 'passport-yubikey-otp/stores';
import { createFile } from '../files/durable-file.js';
import { warnIfOthersCanRead } from '../files/private-file.js';
import { readVariable } from '../terminal/environment.js';
import { SetupError } from '../terminal/failure.js';
import { DEFAULT_MASTER_KEY_FILE } from '../terminal/global-options.js';
import { quoteForShell } from './shell.js';

/** The shell's `set -C` refuses to overwrite an existing master key. */
const howToMakeOne = (path: string) =>
  `Make one with: (umask 077; set -C; yubikey-otp master-key new > ${quoteForShell(path)}), ` +
  'and keep a copy away from the database: without it, the sealed secrets cannot be read';

/**
 * There is no usable master key. The message says where it was looked for; the remedy depends on the content of the
 * database.
 */
export class NoMasterKey extends SetupError {
  /** @param remedy What to do if nothing is sealed yet. */
  constructor(
    problem: string,
    readonly remedy: string,
  ) {
    super(problem);
  }
}

/** Master keys and their source. */
export interface FoundKeyring {
  readonly keyring: Keyring;
  readonly source: string;
}

/**
 * Reads the master keys that seal secrets: from the file that was named, else from the environment, else from the
 * default file. The first one seals.
 *
 * @throws NoMasterKey, whose message repeats no key.
 */
export async function readKeyring(file: string | undefined): Promise<FoundKeyring> {
  const { source, text } = await findMasterKeys(file);
  if (text.trim() === '') {
    const remedy = `Remove that file. ${howToMakeOne(source)}`;
    throw new NoMasterKey(`There is no master key in ${source}, which is empty`, remedy);
  }
  try {
    return { source, keyring: parseKeyring(text) };
  } catch (error) {
    const problem = `The master keys in ${source} cannot be used: ${(error as Error).message}`;
    throw new NoMasterKey(problem, `Give others with --master-key-file or YUBIKEY_MASTER_KEY`);
  }
}

/** Whether a master key was given in any of these ways, usable or not. */
export function hasMasterKey(file: string | undefined): boolean {
  return file !== undefined || inEnvironment() !== undefined || existsSync(DEFAULT_MASTER_KEY_FILE);
}

/**
 * Makes a file with a new master key that only its owner can read, complete and on disk when this resolves. False if
 * the file exists, which is left as it is: of several processes that start at once, one makes it.
 *
 * @throws SetupError if the file cannot be made.
 */
export async function createMasterKeyFile(path: string): Promise<boolean> {
  try {
    return await createFile(path, formatNewMasterKey());
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SetupError(
      `The master key file ${path} cannot be made (${code}): give a master key with --master-key-file, or work in another folder`,
    );
  }
}

/** A line of a master key file with a new master key, by default named after today's date. Secret. */
export function formatNewMasterKey(id = new Date().toISOString().slice(0, 10)): string {
  return `${id}:${newMasterKey().toString('base64')}\n`;
}

async function findMasterKeys(file: string | undefined): Promise<{ source: string; text: string }> {
  if (file !== undefined) return { source: file, text: await readMasterKeyFile(file) };
  const text = inEnvironment();
  if (text !== undefined) return { source: 'YUBIKEY_MASTER_KEY', text };
  if (!existsSync(DEFAULT_MASTER_KEY_FILE)) {
    const problem =
      'There is no master key: neither --master-key-file nor YUBIKEY_MASTER_KEY gives one, and there is no ' +
      resolve(DEFAULT_MASTER_KEY_FILE);
    throw new NoMasterKey(problem, howToMakeOne(DEFAULT_MASTER_KEY_FILE));
  }
  return { source: DEFAULT_MASTER_KEY_FILE, text: await readMasterKeyFile(DEFAULT_MASTER_KEY_FILE) };
}

const inEnvironment = () => readVariable('YUBIKEY_MASTER_KEY');

async function readMasterKeyFile(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    warnIfOthersCanRead('master key', path, await file.stat());
    return await file.readFile('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new NoMasterKey(`The master key file ${path} does not exist`, howToMakeOne(path));
    throw new NoMasterKey(
      `The master key file ${path} cannot be read (${code})`,
      'Give a file that this user can read with --master-key-file',
    );
  } finally {
    await file?.close();
  }
}
