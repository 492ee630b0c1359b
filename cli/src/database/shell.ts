import type { Command } from 'commander';
import type { GlobalOptions } from '../terminal/global-options.js';
import { withoutPasswords } from './database.js';

/** How another command is called on the same database: what was typed to name it, without passwords. */
export function onSameDatabase(command: Command): string {
  const { db } = command.optsWithGlobals<GlobalOptions>();
  const isTyped = (name: keyof GlobalOptions) => command.getOptionValueSourceWithGlobals(name) === 'cli';
  return [
    'yubikey-otp',
    ...(isTyped('db') ? ['--db', shellWord(withoutPasswords(db, db))] : []),
    ...(isTyped('allowReplayAfterCrash') ? ['--allow-replay-after-crash'] : []),
  ].join(' ');
}

/** A word as a POSIX shell reads it back, in quotes only where it needs them. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
