import { type Environment, readVariable } from '../../terminal/environment.js';
import type { ConfigFile } from './config-file.js';
import { LISTED_SETTINGS, type ListedSetting } from './listed-settings.js';
import { SETTINGS, type Settings } from './serve-settings.js';
import { findUnknownNames } from './unknown-names.js';
import { readValue } from './value-types.js';

/** Where settings come from; the first source that has a setting wins. */
export interface Sources {
  /** As commander read them, without defaults. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly file?: ConfigFile | undefined;
}

export interface Resolved {
  readonly settings: Settings;
  /** One sentence each, with the name of the setting to correct. */
  readonly mistakes: readonly string[];
}

/** Reads every setting from the first source that has it, and finds all mistakes at once. No mistake repeats a value. */
export function resolveSettings(sources: Sources): Resolved {
  const mistakes = findUnknownNames(sources);
  const values: Record<string, unknown> = {};
  for (const setting of LISTED_SETTINGS) {
    const given = findGiven(setting, sources);
    if (!given) continue;
    if (setting.type.safeParse(given.value).success) values[setting.name] = given.value;
    else mistakes.push(`${given.where} takes ${setting.type.description}`);
  }
  // The default stands in for a wrong value, so that contradictions between the others are found too.
  return { settings: SETTINGS.parse(values), mistakes };
}

function findGiven(
  { name, type, flag, variable, isGlobal }: ListedSetting,
  { flags, environment, file }: Sources,
): { where: string; value: unknown } | undefined {
  const typed = flags[name];
  if (typed !== undefined) {
    return { where: flag, value: typeof typed === 'string' ? readValue(typed, type) : typed };
  }
  // Many tools leave a variable out by setting it to an empty text.
  const text = isGlobal ? undefined : environment[variable];
  if (text) return { where: variable, value: readValue(text, type) };
  const isOverruled = name === 'masterKeyFile' && readVariable('YUBIKEY_MASTER_KEY', environment);
  if (!file || isOverruled || !Object.hasOwn(file.values, name)) return undefined;
  return { where: `${name} in ${file.path}`, value: file.values[name] };
}
