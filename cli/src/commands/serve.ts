import { type Command, Option } from 'commander';
import { warnUnlessDurable } from '../database.js';
import { SetupError } from '../failure.js';
import { makeFirstMasterKey } from '../first-master-key.js';
import { contradictionsIn, warningsAbout } from '../operations/check-settings.js';
import { readConfigFile, resolve } from '../operations/config.js';
import { makeFirstClient } from '../operations/first-client.js';
import { sayFirstSteps } from '../operations/first-steps.js';
import { type Log, openLog } from '../operations/logs.js';
import { readManagementToken } from '../operations/management.js';
import { startService } from '../operations/service.js';
import { SETTINGS, type Setting, type Settings } from '../operations/settings.js';
import { stopSignal } from '../operations/stop.js';
import { type Certificate, readCertificate } from '../operations/tls.js';
import { say, warn } from '../output.js';
import { type Secrets, withSecrets } from '../session.js';

/** All that a service needs to know before it opens the database. */
interface Prepared {
  readonly settings: Settings;
  readonly managementToken: string | undefined;
  readonly certificate: Certificate | undefined;
}

/** `yubikey-otp serve` */
export function addServe(program: Command): void {
  const serve = program
    .command('serve')
    .description('serve validation (/wsapi/2.0/verify) and the KSM (/api/v1, /wsapi/decrypt) over HTTP')
    .option('--config <file>', 'a JSON file with settings (default: YUBIKEY_CONFIG in the environment)')
    .addHelpText(
      'after',
      `
Settings come from options, then from the environment (--tls-cert is YUBIKEY_TLS_CERT), then from the file ("tlsCert").
The first start makes the database, its master key and a client, and tells what to do next.
SIGTERM and SIGINT stop it once what was asked is answered; SIGHUP reads the certificate anew.

  $ yubikey-otp serve --port 8080`,
    );
  for (const { flag, description, fallback } of Object.values<Setting<unknown>>(SETTINGS)) {
    if (flag !== undefined) serve.addOption(new Option(flag, described(description, fallback)));
  }
  serve.action(async (_options: unknown, command: Command) => {
    const prepared = prepare(command);
    const { db, masterKeyFile, allowReplayAfterCrash, logLevel } = prepared.settings;
    const options = { db, allowReplayAfterCrash, ...(masterKeyFile !== undefined && { masterKeyFile }) };
    await makeFirstMasterKey(options);
    const { log, flush } = openLog(logLevel);
    try {
      await withSecrets({ ...options, longLived: true }, 'create', (secrets) => run(prepared, secrets, log));
      log.info('stopped');
    } finally {
      flush();
    }
    // Whatever still waits for nobody, such as a connection to a database that does not answer, ends with this.
    setTimeout(() => process.exit(), 2_000).unref();
  });
}

function described(description: string, fallback: unknown): string {
  return typeof fallback === 'string' || typeof fallback === 'number'
    ? `${description} (default: ${fallback})`
    : description;
}

/** @throws SetupError that names every mistake at once. */
function prepare(command: Command): Prepared {
  const path = command.opts<{ config?: string }>().config ?? (process.env.YUBIKEY_CONFIG || undefined);
  const { settings, mistakes } = resolve({
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
    throw new SetupError(`The service is not set up:\n${all.map((it) => `  ${it}`).join('\n')}`);
  const certificate = readCertificate(settings);
  for (const warning of warningsAbout(settings)) warn(warning);
  return { settings, managementToken: management.token, certificate };
}

/** What somebody typed, or what commander took from the environment itself; no defaults. */
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
    // Before anything is told: whoever reads it may ask the service to stop.
    const stopped = stopSignal();
    for (const [served, url] of Object.entries(service.urls)) log.info({ service: served, url }, 'listening');
    const client = settings.validation ? await makeFirstClient(secrets, settings.db) : undefined;
    sayFirstSteps(service.urls, client, settings);
    const signal = await stopped;
    log.info({ signal }, 'stopping');
    say(`Stopping (${signal}): what was asked is answered first; once more ends it at once`);
  } finally {
    await service.stop();
  }
}
