import { readFileSync } from 'node:fs';
import { distance } from 'fastest-levenshtein';
import { SetupError } from '../../terminal/failure.js';
import { KINDS } from './kinds.js';
import { SETTINGS, type Setting, type Settings, toEnvironmentName } from './serve-settings.js';

/** Where settings come from; the first source that has a setting wins. */
export interface Sources {
  /** As commander read them, without defaults. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file?: ConfigFile | undefined;
}

export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface Resolved {
  readonly settings: Settings;
  /** One sentence each, with the name of the setting to correct. */
  readonly mistakes: readonly string[];
}

/** @throws SetupError for a file that cannot be read, or does not hold a JSON object. */
export function readConfigFile(path: string): ConfigFile {
  const values = parse(path, read(path));
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new SetupError(`${path} must hold one JSON object, such as {"port": 8080}`);
  }
  return { path, values: values as ConfigFile['values'] };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SetupError(
      `The configuration file ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}

/** Drops the parser's message, which would repeat part of the file, such as a password in a URL. */
function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SetupError(`The configuration file ${path} is not JSON: check it with: jq . ${path}`);
  }
}

/** Reads every setting from the first source that has it, and finds all mistakes at once. No mistake repeats a value. */
export function resolveSettings(sources: Sources): Resolved {
  const mistakes = [...unknownInFile(sources), ...misspelledInEnvironment(sources)];
  const settings: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting>(SETTINGS)) {
    const { takes, schema } = KINDS[setting.kind];
    const given = findSetting(name, setting, sources);
    const parsed = given && schema.safeParse(given.value);
    settings[name] = parsed?.success ? parsed.data : setting.fallback;
    if (given && !parsed?.success) mistakes.push(`${given.where} takes ${takes}`);
  }
  return { settings: settings as Settings, mistakes };
}

function findSetting(
  name: string,
  { flag, kind }: Setting,
  { flags, environment, file }: Sources,
): { where: string; value: unknown } | undefined {
  const { fromText } = KINDS[kind];
  const typed = flags[name];
  if (typed !== undefined) {
    const where = flag?.split(' ')[0] ?? `--${name}`;
    return { where, value: typeof typed === 'string' ? fromText(typed) : typed };
  }
  // Every command reads the options without a flag here from the environment itself.
  const variable = flag === undefined ? undefined : toEnvironmentName(name);
  // Many tools leave a variable out by setting it to an empty text.
  const text = variable && environment[variable];
  if (text) return { where: variable, value: fromText(text) };
  const isOverruled = name === 'masterKeyFile' && environment.YUBIKEY_MASTER_KEY?.trim();
  if (!file || isOverruled || !Object.hasOwn(file.values, name)) return undefined;
  return { where: `${name} in ${file.path}`, value: file.values[name] };
}

const NAMES = Object.keys(SETTINGS);

function unknownInFile({ file }: Sources): string[] {
  if (!file) return [];
  return Object.keys(file.values)
    .filter((name) => !NAMES.includes(name))
    .map((name) => {
      const meant = nearest(name, NAMES);
      const advice = meant ? `did you mean ${meant}?` : `the settings are ${NAMES.join(', ')}`;
      return `${JSON.stringify(name.slice(0, 64))} in ${file.path} is not a setting: ${advice}`;
    });
}

/** Other variables with this prefix, of this package and of applications. */
const OTHER_VARIABLES = ['DB', 'MASTER_KEY', 'MANAGEMENT_TOKEN', 'CONFIG', 'CLIENT_ID', 'API_KEY'].map(
  (name) => `YUBIKEY_${name}`,
);

function misspelledInEnvironment({ environment }: Sources): string[] {
  const known = [
    ...OTHER_VARIABLES,
    ...Object.entries<Setting>(SETTINGS)
      .filter(([, { flag }]) => flag !== undefined)
      .map(([name]) => toEnvironmentName(name)),
  ];
  return Object.keys(environment)
    .filter((name) => name.startsWith('YUBIKEY_') && !known.includes(name))
    .flatMap((name) => {
      const meant = nearest(name, known);
      return meant ? [`${name} in the environment is not a setting: did you mean ${meant}?`] : [];
    });
}

/** The closest name within two letters, ignoring case and separators. */
function nearest(text: string, names: readonly string[]): string | undefined {
  const bare = (name: string) => name.toLowerCase().replace(/[^a-z]/g, '');
  const [best] = names
    .map((name) => ({ name, distance: distance(bare(name), bare(text)) }))
    .sort((one, other) => one.distance - other.distance);
  return best && best.distance <= 2 ? best.name : undefined;
}
