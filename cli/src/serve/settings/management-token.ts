import { readFileSync, statSync } from 'node:fs';
import { isManagementToken } from 'passport-yubikey-otp/server';
import { warnIfOthersCanRead } from '../../files/private-file.js';
import { type Environment, readVariable } from '../../terminal/environment.js';
import type { Settings } from './serve-settings.js';

const VARIABLE = 'YUBIKEY_MANAGEMENT_TOKEN';
const FLAG = '--management-token-file';

export interface ManagementToken {
  /** Secret. */
  readonly token?: string | undefined;
  readonly mistakes: readonly string[];
}

/** Reads the token that allows managing keys, which never stands on a command line or in a configuration file. */
export function readManagementToken(
  { managementTokenFile: path }: Settings,
  environment: Environment,
): ManagementToken {
  const inEnvironment = readVariable(VARIABLE, environment);
  if (path === undefined) return checked(inEnvironment, VARIABLE);
  if (inEnvironment !== undefined) return wrong(`${FLAG} and ${VARIABLE} are both given: leave one out`);
  try {
    warnIfOthersCanRead('management token', path, statSync(path));
    return checked(readFileSync(path, 'utf8').trim(), FLAG);
  } catch (error) {
    return wrong(`${FLAG}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function checked(token: string | undefined, where: string): ManagementToken {
  if (token === undefined) return { mistakes: [] };
  if (isManagementToken(token)) return { token, mistakes: [] };
  return wrong(
    `${where} takes 16 or more letters, digits and punctuation marks, without spaces; make one with: openssl rand -hex 32`,
  );
}

const wrong = (mistake: string): ManagementToken => ({ mistakes: [mistake] });
