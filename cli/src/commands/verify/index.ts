import { type Command, Option } from 'commander';
import { YUBICLOUD } from 'passport-yubikey-otp';
import { EXIT } from '../../terminal/failure.js';
import { readOtp, readOtpText } from '../../terminal/otp-input.js';
import { print, printJson } from '../../terminal/output.js';
import { verifyAtServers } from './at-servers.js';
import { verifyLocally } from './locally.js';
import { assertServerOptions, type VerifyOptions } from './options.js';
import { MEANINGS, type Verdict } from './verdict.js';

/** `yubikey-otp verify [OTP]` */
export function addVerify(program: Command): void {
  program
    .command('verify')
    .argument('[otp]', 'the OTP; without it, or with -, asks for a touch or reads a line of standard input')
    .description('verify an OTP and use it up: with the keys in the database, or at validation servers')
    .option('--url <url>', 'a validation server to ask; repeat it for several', collect)
    .addOption(new Option('--client-id <id>', 'the client id at the servers').env('YUBIKEY_CLIENT_ID'))
    .option(
      '--api-key-file <path>',
      'a file with the API key of the client in base64 (default: YUBIKEY_API_KEY in the environment)',
    )
    .option('--ca <file>', 'a PEM file with the CA certificates to trust instead of those of the system')
    .addOption(
      new Option('--protocol <version>', 'the validation protocol').choices(['2.0', '1.0']).default('2.0'),
    )
    .option('--timeout <seconds>', 'the time limit for all servers together', '10')
    .addHelpText(
      'after',
      `
  $ yubikey-otp verify
  $ yubikey-otp verify --client-id 87 --url ${YUBICLOUD[0]}

Exit codes: 0 valid, 1 refused, 2 no verdict: a server, the database or the set-up failed.`,
    )
    .action(async (argument: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<VerifyOptions>();
      assertServerOptions(command, options);
      const parsed = readOtp(await readOtpText(argument));
      if ('problem' in parsed) return tellRefusal('OTP_MALFORMED', parsed.problem, options);
      const verify = options.url ? verifyAtServers : verifyLocally;
      await tell(await verify(parsed.otp, options), options);
    });
}

function collect(url: string, urls: readonly string[] = []): string[] {
  return [...urls, url];
}

async function tell({ verification, meaning }: Verdict, options: VerifyOptions): Promise<void> {
  if (!verification.ok) {
    const { reason } = verification;
    return tellRefusal(reason, meaning ?? MEANINGS[reason], options);
  }
  const { publicId, counters } = verification.identity;
  if (options.json) return printJson({ ok: true, publicId, counters: counters ?? null });
  const counted = counters
    ? `, usage counter ${counters.usageCounter}, session use ${counters.sessionUse}`
    : '';
  await print(`OK ${publicId || '(empty public ID)'}${counted}\n`);
}

async function tellRefusal(reason: string, meaning: string, { json }: VerifyOptions): Promise<void> {
  process.exitCode = EXIT.refused;
  if (json) await printJson({ ok: false, reason, meaning });
  else await print(`${reason}: ${meaning}\n`);
}
