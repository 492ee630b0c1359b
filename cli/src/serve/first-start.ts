import { KSM_PATHS, VALIDATION_PATHS } from 'passport-yubikey-otp/protocol';
import { isUrl } from '../database/database.js';
import { quoteForShell } from '../database/shell.js';
import { readVariable } from '../terminal/environment.js';
import { DEFAULT_DATABASE, DEFAULT_MASTER_KEY_FILE } from '../terminal/global-options.js';
import { say } from '../terminal/output.js';
import type { FirstClient } from './first-client.js';
import type { ServiceUrls } from './service.js';
import type { Settings } from './settings/serve-settings.js';

/** Says where the service listens and, at the first start, what to do next. */
export function sayFirstSteps(
  { validation, ksm }: ServiceUrls,
  client: FirstClient | undefined,
  { db, masterKeyFile }: Settings,
): void {
  if (validation !== undefined) say(`Validation server: ${validation}${VALIDATION_PATHS['2.0']}`);
  if (ksm !== undefined) say(`KSM:               ${ksm}${KSM_PATHS.rest} and ${ksm}${KSM_PATHS.wsapi}`);
  if (!client) return;
  const { id, apiKey } = client;
  const masterKey = readVariable('YUBIKEY_MASTER_KEY')
    ? 'The master key of YUBIKEY_MASTER_KEY'
    : `The master key ${masterKeyFile ?? DEFAULT_MASTER_KEY_FILE}`;
  const database = isUrl(db) ? 'the database' : db;
  const option = db === DEFAULT_DATABASE || isUrl(db) ? '' : ` --db ${quoteForShell(db)}`;
  say(`
This is the first start, which made client ${id}. ${
    'text' in apiKey
      ? `Its API key is shown only now: ${apiKey.text}`
      : `Its API key is in ${apiKey.file}, which only its owner can read: give the key to the application, then delete the file.`
  }
${masterKey} seals the secrets in ${database}: keep a copy of each, in different places.
Try it without a YubiKey:   yubikey-otp${option} press | xargs yubikey-otp${option} verify
Store YubiKeys:             yubikey-otp${option} keys new --help`);
}
