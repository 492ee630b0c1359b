import { readFile } from 'node:fs/promises';
import { SoftYubikey, type SoftYubikeyState } from 'passport-yubikey-otp/testing';
import { replaceFile } from '../../files/durable-file.js';
import { SetupError } from '../../terminal/failure.js';

/**
 * Reads the virtual YubiKey from its file. Returns undefined if there is no file.
 *
 * @throws SetupError that repeats nothing of the file, which contains the key's secrets.
 */
export async function readState(path: string): Promise<SoftYubikeyState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new SetupError(
      `The virtual YubiKey ${path} cannot be read (${code}): name another one with --file`,
    );
  }
  try {
    return SoftYubikey.fromJSON(JSON.parse(text)).toJSON();
  } catch {
    throw new SetupError(
      `The file ${path} does not contain a virtual YubiKey: name another file with --file; if it does not exist, it is made`,
    );
  }
}

/** Writes the virtual YubiKey. The file is on disk when this resolves. */
export async function writeState(path: string, state: SoftYubikeyState): Promise<void> {
  try {
    await replaceFile(path, `${JSON.stringify(state, undefined, 2)}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SetupError(
      `The virtual YubiKey ${path} cannot be written (${code}): name another file with --file`,
    );
  }
}
