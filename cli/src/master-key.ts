import { type FileHandle, open } from 'node:fs/promises';
import { type Keyring, parseKeyring } from 'passport-yubikey-otp/stores';
import { SetupError } from './failure.js';
import { warn } from './output.js';

const HOW_TO_MAKE_ONE =
  'Make one with: (umask 077; yubikey-otp master-key new > master.key), give it with --master-key-file master.key, ' +
  'and keep a copy apart from the database: without it, what it sealed cannot be read';

/**
 * The master keys that seal secrets, from a file or the environment; the first one seals.
 *
 * @throws SetupError, which repeats no key.
 */
export async function readKeyring(file: string | undefined): Promise<Keyring> {
  const text = file === undefined ? process.env.YUBIKEY_MASTER_KEY : await readMasterKeyFile(file);
  const source = file ?? 'YUBIKEY_MASTER_KEY';
  if (text === undefined || text.trim() === '') {
    const problem = file === undefined ? 'There is no master key' : `There is no master key in ${file}`;
    throw new SetupError(`${problem}. ${HOW_TO_MAKE_ONE}`);
  }
  try {
    return parseKeyring(text);
  } catch (error) {
    throw new SetupError(`The master keys in ${source} cannot be used: ${(error as Error).message}`);
  }
}

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
    const problem = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    throw new SetupError(`The master key file ${path} ${problem}. ${HOW_TO_MAKE_ONE}`);
  } finally {
    await file?.close();
  }
}
