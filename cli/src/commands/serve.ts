import { type Command, Option } from 'commander';

/**
 * `yubikey-otp serve`
 *
 * @param argv The command line. Without the word `serve`, the settings and zod are not loaded: other commands start sooner.
 */
export async function addServe(program: Command, argv: readonly string[]): Promise<void> {
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
    )
    .action(async (_options: unknown, command: Command) => {
      const { serve } = await import('../serve/run.js');
      await serve(command);
    });
  if (argv.includes('serve')) await addSettings(serveCommand);
}

async function addSettings(serveCommand: Command): Promise<void> {
  const { LISTED_SETTINGS } = await import('../serve/settings/listed-settings.js');
  for (const { option, description, isGlobal } of LISTED_SETTINGS) {
    if (!isGlobal) serveCommand.addOption(new Option(option, description));
  }
}
