import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addClients } from './commands/clients/index.js';
import { addCounters } from './commands/counters/index.js';
import { addInspect } from './commands/inspect.js';
import { addKeys } from './commands/keys/index.js';
import { addMasterKey } from './commands/master-key.js';
import { addPress } from './commands/press/index.js';
import { addServe } from './commands/serve.js';
import { addVerify } from './commands/verify/index.js';
import { addGlobalOptions } from './terminal/global-options.js';

/** Makes the program with all its commands, for a command line such as `process.argv`. */
export async function createProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('yubikey-otp')
    .description(
      'Manages keys, counters and clients for YubiKey one-time passwords, and serves validation and a KSM.',
    )
    .version(readVersion())
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showHelpAfterError('(use --help for more information)')
    .exitOverride()
    .addHelpText(
      'after',
      `
Try it without a YubiKey, in an empty folder:
  $ yubikey-otp press | xargs yubikey-otp verify

First steps:
  $ (umask 077; set -C; yubikey-otp master-key new > yubikey-otp.master-key)
  $ yubikey-otp keys new

Exit codes: 0 done, 1 something was refused or not found, 2 wrong usage or set-up.`,
    );
  addGlobalOptions(program);
  addKeys(program);
  addCounters(program);
  addClients(program);
  addMasterKey(program);
  await addServe(program, argv);
  addVerify(program);
  addInspect(program);
  addPress(program);
  return program;
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
