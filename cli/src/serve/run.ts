import type { Command } from 'commander';
import { YubikeyError } from 'passport-yubikey-otp';
import { type Database, warnUnlessDurable } from '../database/database.js';
import { makeFirstMasterKey } from '../database/first-master-key.js';
import { type Secrets, withSecrets } from '../database/session.js';
import { beginToStop, endAtOnce, isHanging } from '../terminal/ending.js';
import { Refusal, SetupError } from '../terminal/failure.js';
import { say, warn } from '../terminal/output.js';
import { contradictionsIn, warningsAbout } from './contradictions.js';
import { makeFirstClient } from './first-client.js';
import { sayFirstSteps } from './first-start.js';
import { errorFields, type Log, openLog } from './logs.js';
import { startService } from './service.js';
import { readConfigFile } from './settings/config-file.js';
import { readManagementToken } from './settings/management-token.js';
import type { Settings } from './settings/serve-settings.js';
import { resolveSettings } from './settings/sources.js';
import { stopSignal } from './stop.js';
import { type Certificate, readCertificate } from './tls.js';

/** Everything that a service reads before it opens the database. */
interface Prepared {
  readonly settings: Settings;
  readonly managementToken: string | undefined;
  readonly certificate: Certificate | undefined;
}

/** Serves until a signal asks it to stop. */
export async function serve(command: Command): Promise<void> {
  const prepared = prepare(command);
  const { db, masterKeyFile, allowReplayAfterCrash, logLevel } = prepared.settings;
  const options = { db, allowReplayAfterCrash, masterKeyFile };
  await makeFirstMasterKey(options);
  const { log, close } = openLog(logLevel);
  try {
    await withSecrets({ ...options, longLived: true }, 'create', (secrets) => run(prepared, secrets, log));
    if (!isHanging()) log.info('stopped');
  } finally {
    if (isHanging()) log.error('killed, since the database hangs');
    await close();
  }
}

/** @throws SetupError that names every mistake at once. */
function prepare(command: Command): Prepared {
  const path = command.opts<{ config?: string }>().config ?? (process.env.YUBIKEY_CONFIG || undefined);
  const { settings, mistakes } = resolveSettings({
    flags: givenFlags(command),
    environment: process.env,
    file: path === undefined ? undefined : readConfigFile(path),
  });
  const management = readManagementToken(settings, process.env);
  const all = [
    ...mistakes,
    ...management.mistakes,
    ...contradictionsIn(settings, management.token !== undefined || management.mistakes.length > 0),
  ];
  if (all.length > 0)
    throw new SetupError(
      `The service cannot start with these settings:\n${all.map((it) => `  ${it}`).join('\n')}`,
    );
  const certificate = readCertificate(settings);
  for (const warning of warningsAbout(settings)) warn(warning);
  return { settings, managementToken: management.token, certificate };
}

/** Options from the command line, and those that commander itself takes from the environment; no defaults. */
function givenFlags(command: Command): Record<string, unknown> {
  const isGiven = (name: string) =>
    ['cli', 'env'].includes(command.getOptionValueSourceWithGlobals(name) ?? '');
  return Object.fromEntries(Object.entries(command.optsWithGlobals()).filter(([name]) => isGiven(name)));
}

async function run(prepared: Prepared, secrets: Secrets, log: Log): Promise<void> {
  const { settings } = prepared;
  warnUnlessDurable(secrets.database);
  const service = await startService({ ...prepared, secrets, log });
  try {
    // Before the first message: a program that reads it may ask the service to stop.
    const stopped = stopSignal(() => void endAtOnce(secrets.database.close));
    const client = settings.validation ? await makeFirstClient(secrets, settings.db) : undefined;
    for (const [served, url] of Object.entries(service.urls)) log.info({ service: served, url }, 'listening');
    sayFirstSteps(service.urls, client, settings);
    const why = await Promise.race([stopped, waitForDatabaseEnd(secrets.database, settings.db, log)]);
    if (why instanceof YubikeyError) {
      beginToStop();
      log.error(errorFields(why, settings.db), 'stopping');
      throw new Refusal(why.message);
    }
    log.info({ signal: why }, 'stopping');
    say(`Stopping (${why}): open requests are answered first; a second signal ends the process at once`);
  } finally {
    await service.stop();
  }
}

/** Resolves if a new process could go on with the database. A service that lost its file keeps running and refuses every OTP. */
async function waitForDatabaseEnd({ fault }: Database, db: string, log: Log): Promise<YubikeyError> {
  const { kind, error } = await (fault ?? new Promise<never>(() => undefined));
  if (kind === 'THREAD_ENDED') return error;
  log.error(errorFields(error, db), 'refusing everything');
  say(`Error: ${error.message}`);
  return new Promise(() => undefined);
}
