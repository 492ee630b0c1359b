import type { z } from 'zod';
import { SETTINGS } from './serve-settings.js';

/** What follows from one entry of the schema. */
export interface ListedSetting {
  /** The member of a configuration file. */
  readonly name: string;
  /** The type of the value, without the default. */
  readonly type: z.ZodType;
  readonly flag: string;
  /** The flag and its argument, as commander writes them. */
  readonly option: string;
  readonly description: string;
  /** The environment variable. A global option may have another one, or none. */
  readonly variable: string;
  readonly isGlobal: boolean;
}

export const LISTED_SETTINGS = Object.entries(SETTINGS.shape).map(([name, entry]) =>
  listSetting(name, entry),
);

function listSetting(name: string, entry: z.ZodDefault<z.ZodType> | z.ZodOptional<z.ZodType>): ListedSetting {
  const type = entry.unwrap();
  const argument = type.meta()?.argument;
  const { description = '', isGlobal = false } = entry.meta() ?? {};
  const fallback = entry.parse(undefined);
  const isTold = typeof fallback === 'string' || typeof fallback === 'number';
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const flag = `--${fallback === true ? 'no-' : ''}${words}`;
  return {
    name,
    type,
    flag,
    option: argument ? `${flag} <${argument}>` : flag,
    description: isTold ? `${description} (default: ${fallback})` : description,
    variable: `YUBIKEY_${words.replaceAll('-', '_').toUpperCase()}`,
    isGlobal,
  };
}
