import { existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Keyring, newMasterKey, parseKeyring } from 'passport-yubikey-otp/stores';
import { createFile } from '../files/durable-file.js';
import { SetupError } from '../terminal/failure.js';
import { DEFAULT_MASTER_KEY_FILE } from '../terminal/global-options.js';
import { warn } from '../terminal/output.js';
import { shellWord } from './shell.js';

/** The shell's `-C` keeps it from writing over a master key that is there. */
const howToMakeOne = (path: string) =>
  `Make one with: (umask 077; set -C; yubikey-otp master-key new > ${shellWord(path)}), ` +
  'and keep a copy apart from the database: without it, what it sealed cannot be read';

/**
 * There is no master key that can be used. It says where one was looked for; what to do about it depends on what is in
 * the database.
 */
export class NoMasterKey extends SetupError {
  /** @param remedy What to do where nothing is sealed yet. */
  constructor(
    problem: string,
    readonly remedy: string,
  ) {
    super(problem);
  }
}

/** Master keys, and where they come from. */
export interface FoundKeyring {
  readonly keyring: Keyring;
  readonly source: string;
}

/**
 * The master keys that seal secrets: of the file that was named, else of the environment, else of the default file.
 * The first one seals.
 *
 * @throws NoMasterKey, which repeats no key.
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

/** Whether a master key was given in any of these ways, fit for use or not. */
export function hasMasterKey(file: string | undefined): boolean {
  return file !== undefined || inEnvironment() !== undefined || existsSync(DEFAULT_MASTER_KEY_FILE);
}

/**
 * Makes a file with a new master key, for its owner only, whole and on disk when this resolves. False where there is
 * one already, which stays as it is: of several that are started at once, one makes it.
 *
 * @throws SetupError where it cannot be made.
 */
export async function createMasterKeyFile(path: string): Promise<boolean> {
  try {
    return await createFile(path, masterKeyLine());
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SetupError(
      `The master key file ${path} cannot be made (${code}): give a master key with --master-key-file, or work in another folder`,
    );
  }
}

/** A new master key as a master key file holds it, named after the day. Secret. */
export function masterKeyLine(id = new Date().toISOString().slice(0, 10)): string {
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

/** Set but empty is how many tools leave it out. */
const inEnvironment = () => process.env.YUBIKEY_MASTER_KEY?.trim() || undefined;

async function readMasterKeyFile(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { mode } = await file.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      warn(`The master key file ${path} can be read by others than its owner: chmod 600 ${path}`);
    }
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
