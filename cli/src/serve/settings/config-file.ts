import { readNamedFile } from '../../files/named-file.js';
import { SetupError } from '../../terminal/failure.js';

export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** @throws SetupError for a file that cannot be read, or does not hold a JSON object. */
export function readConfigFile(path: string): ConfigFile {
  const text = readNamedFile(path, `The configuration file ${path}`).toString();
  const values = parse(path, text);
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new SetupError(`${path} must hold one JSON object, such as {"port": 8080}`);
  }
  return { path, values: values as ConfigFile['values'] };
}

/** Drops the parser's message, which would repeat part of the file, such as a password in a URL. */
function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SetupError(`The configuration file ${path} is not JSON: check it with: jq . ${path}`);
  }
}
