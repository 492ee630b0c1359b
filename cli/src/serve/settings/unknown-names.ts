import { closest, distance } from 'fastest-levenshtein';
import type { Environment } from '../../terminal/environment.js';
import type { ConfigFile } from './config-file.js';
import { LISTED_SETTINGS } from './listed-settings.js';

const NAMES = LISTED_SETTINGS.map(({ name }) => name);

/** The variables with this prefix: those of settings, and others of this package and of applications. */
const VARIABLES = [
  ...['DB', 'MASTER_KEY', 'MANAGEMENT_TOKEN', 'CONFIG', 'CLIENT_ID', 'API_KEY'].map((it) => `YUBIKEY_${it}`),
  ...LISTED_SETTINGS.filter(({ isGlobal }) => !isGlobal).map(({ variable }) => variable),
];

/** Finds names that are not settings: all of them in the file, and misspelled ones in the environment. */
export function findUnknownNames({
  environment,
  file,
}: {
  environment: Environment;
  file?: ConfigFile | undefined;
}): string[] {
  return [...(file ? listUnknown(file) : []), ...listMisspelled(Object.keys(environment))];
}

function listUnknown({ path, values }: ConfigFile): string[] {
  return Object.keys(values)
    .filter((name) => !NAMES.includes(name))
    .map((name) => {
      const meant = findNearest(name, NAMES);
      const advice = meant ? `did you mean ${meant}?` : `the settings are ${NAMES.join(', ')}`;
      return `${JSON.stringify(name.slice(0, 64))} in ${path} is not a setting: ${advice}`;
    });
}

function listMisspelled(variables: readonly string[]): string[] {
  return variables
    .filter((name) => name.startsWith('YUBIKEY_') && !VARIABLES.includes(name))
    .flatMap((name) => {
      const meant = findNearest(name, VARIABLES);
      return meant ? [`${name} in the environment is not a setting: did you mean ${meant}?`] : [];
    });
}

/** The closest name within two letters, ignoring case and separators. */
function findNearest(text: string, names: readonly string[]): string | undefined {
  const bare = (name: string) => name.toLowerCase().replace(/[^a-z]/g, '');
  const nearest = closest(bare(text), names.map(bare));
  return distance(nearest, bare(text)) <= 2 ? names.find((name) => bare(name) === nearest) : undefined;
}
