import { type FileHandle, open, rm } from 'node:fs/promises';
import { SetupError } from '../terminal/failure.js';
import { print } from '../terminal/output.js';

/**
 * Writes lines to standard output, or to a new file that only its owner can read. Returns the number of lines. A file
 * that cannot be written completely is removed.
 */
export async function writeLines(lines: AsyncIterable<string>, path: string | undefined): Promise<number> {
  if (path === undefined) return writeAll(lines, print);
  const file = await openNew(path);
  try {
    const count = await writeAll(lines, (text) => explainWriteError(path, file.appendFile(text)));
    await explainWriteError(path, file.sync());
    await file.close();
    return count;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error;
  }
}

const CHUNK_LENGTH = 64 * 1024;

async function writeAll(
  lines: AsyncIterable<string>,
  write: (text: string) => Promise<void>,
): Promise<number> {
  let count = 0;
  let chunk = '';
  for await (const line of lines) {
    chunk += `${line}\n`;
    count += 1;
    if (chunk.length < CHUNK_LENGTH) continue;
    await write(chunk);
    chunk = '';
  }
  if (chunk !== '') await write(chunk);
  return count;
}

/** @throws SetupError if the file cannot be written, to tell it from an error of the source of the lines. */
async function explainWriteError(path: string, written: Promise<void>): Promise<void> {
  try {
    await written;
  } catch (error) {
    throw new SetupError(
      `The file ${path} cannot be written completely, and is removed: ${(error as Error).message}`,
    );
  }
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const problem = code === 'EEXIST' ? 'it exists already, and is not overwritten' : code;
    throw new SetupError(`The file ${path} cannot be made: ${problem}`);
  }
}
