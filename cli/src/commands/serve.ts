import { type Command, Option } from 'commander';
import { SETTINGS, type Setting } from '../serve/settings/serve-settings.js';

/** `yubikey-otp serve` */
export function addServe(program: Command): void {
  const serveCommand = program
    .command('serve')
    .description('serve validation (/wsapi/2.0/verify) and the KSM (/api/v1, /wsapi/decrypt) over HTTP')
    .option('--config <file>', 'a JSON file with settings (default: YUBIKEY_CONFIG in the environment)')
    .addHelpText(
      'after',
      `
Settings come from options, then from the environment (--tls-cert is YUBIKEY_TLS_CERT), then from the file ("tlsCert").
The first start makes the database, its master key and a client, and prints the next steps.
SIGTERM and SIGINT stop the service once open requests are answered. SIGHUP reloads the certificate.

  $ yubikey-otp serve --port 8080`,
    );
  for (const { flag, description, fallback } of Object.values<Setting>(SETTINGS)) {
    if (flag !== undefined) serveCommand.addOption(new Option(flag, describeSetting(description, fallback)));
  }
  serveCommand.action(async (_options: unknown, command: Command) => {
    // The imports of the service would delay the start of every other command.
    const { serve } = await import('../serve/run.js');
    await serve(command);
  });
}

function describeSetting(description: string, fallback: unknown): string {
  const isTold = typeof fallback === 'string' || typeof fallback === 'number';
  return isTold ? `${description} (default: ${fallback})` : description;
}
