import type { Command } from 'commander';
import type { GlobalOptions } from '../terminal/global-options.js';
import { withoutPasswords } from './database.js';

/** The beginning of another command line for the same database: the options that were typed to name it, without passwords. */
export function commandOnSameDatabase(command: Command): string {
  const { db } = command.optsWithGlobals<GlobalOptions>();
  const isTyped = (name: keyof GlobalOptions) => command.getOptionValueSourceWithGlobals(name) === 'cli';
  return [
    'yubikey-otp',
    ...(isTyped('db') ? ['--db', quoteForShell(withoutPasswords(db, db))] : []),
    ...(isTyped('allowReplayAfterCrash') ? ['--allow-replay-after-crash'] : []),
  ].join(' ');
}

/** Quotes a word for a POSIX shell if it needs quotes. */
export function quoteForShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
