import { warn } from '../terminal/output.js';

/** Warns if other users can read a file with secrets. Windows has no such mode. */
export function warnIfOthersCanRead(noun: string, path: string, { mode }: { readonly mode: number }): void {
  if (process.platform === 'win32' || (mode & 0o077) === 0) return;
  warn(`The ${noun} file ${path} can be read by other users: chmod 600 ${path}`);
}
