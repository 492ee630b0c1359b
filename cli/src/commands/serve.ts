import { type Command, Option } from 'commander';
import { SETTINGS, type Setting } from '../serve/settings/serve-settings.js';

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
  for (const { flag, description, fallback } of Object.values<Setting>(SETTINGS)) {
    if (flag !== undefined) serve.addOption(new Option(flag, describeSetting(description, fallback)));
  }
  serve.action(async (_options: unknown, command: Command) => {
    // What only a service needs would make every other command start later.
    const operations = await import('../serve/run.js');
    await operations.serve(command);
  });
}

function describeSetting(description: string, fallback: unknown): string {
  const isTold = typeof fallback === 'string' || typeof fallback === 'number';
  return isTold ? `${description} (default: ${fallback})` : description;
}
