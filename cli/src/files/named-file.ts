import { readFileSync } from 'node:fs';
import { SetupError } from '../terminal/failure.js';

/**
 * Reads a file that the user named.
 *
 * @param label How a message names the file, such as `The API key file ./key`.
 * @throws SetupError if it cannot be read.
 */
export function readNamedFile(path: string, label: string, advice = ''): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new SetupError(`${label} cannot be read (${(error as NodeJS.ErrnoException).code})${advice}`);
  }
}
