import { z } from 'zod';
import { DEFAULT_DATABASE } from '../../terminal/global-options.js';
import {
  address,
  addresses,
  file,
  logLevel,
  path,
  port,
  proxies,
  rate,
  where,
  yesOrNo,
} from './value-types.js';

declare module 'zod' {
  interface GlobalMeta {
    /** Whether every command has the option: commander describes it, and reads its environment variable if it has one. */
    isGlobal?: boolean | undefined;
  }
}

/**
 * Every setting of `yubikey-otp serve`, by the name that it has in a configuration file. The option, the environment
 * variable and the help follow from the name, the type, the default and the description.
 */
export const SETTINGS = z.object({
  db: where.default(DEFAULT_DATABASE).meta({ isGlobal: true }),
  masterKeyFile: path.optional().meta({ isGlobal: true }),
  allowReplayAfterCrash: yesOrNo.default(false).meta({ isGlobal: true }),

  host: address.default('127.0.0.1').describe('the address to listen on'),
  port: port.default(8080).describe('the port to listen on; 0 for any free port'),
  validation: yesOrNo.default(true).describe('do not serve validation'),
  ksm: yesOrNo.default(true).describe('do not serve the KSM'),
  ksmHost: address.optional().describe('a separate address for the KSM (default: --host)'),
  ksmPort: port.optional().describe('a separate port for the KSM (default: --port, or 8002 with --ksm-host)'),
  metricsHost: address.default('127.0.0.1').describe('the address of --metrics-port'),
  metricsPort: port
    .optional()
    .describe('a separate port for /metrics (default: on --port, only for this machine)'),
  tlsCert: file.optional().describe('a file with the certificate and its chain (PEM)'),
  tlsKey: file.optional().describe('a file with the private key of the certificate (PEM)'),

  managementTokenFile: file
    .optional()
    .describe(
      'a file with the token that allows managing keys over HTTP (default: YUBIKEY_MANAGEMENT_TOKEN in the environment)',
    ),
  allowDecryptFrom: addresses
    .optional()
    .describe(
      'addresses and ranges that may ask the KSM to decrypt OTPs, separated by commas (default: all)',
    ),
  trustProxy: proxies
    .optional()
    .describe('addresses and ranges of proxies whose X-Forwarded-For is trusted, separated by commas'),
  dangerouslyManageKeysWithoutToken: yesOrNo
    .default(false)
    .describe('let every program and every proxy on this machine manage keys over HTTP'),
  wsapiRefuseReplays: yesOrNo
    .default(false)
    .describe('refuse replays in /wsapi/decrypt too; not needed behind a validation server'),
  wsapiYubikeyKsmWording: yesOrNo
    .default(false)
    .describe('use the wording of yubikey-ksm for an unknown key in /wsapi/decrypt'),
  delayTolerance: yesOrNo
    .default(false)
    .describe('refuse OTPs that were typed long before they were sent, as measured by the clock of the key'),

  addressLimit: rate
    .default(60_000)
    .describe('requests per minute from one address (IPv6: one /64 network); 0 for no limit'),
  clientLimit: rate.default(60_000).describe('signed requests per minute from one client; 0 for no limit'),
  replayLimit: rate
    .default(60)
    .describe('replayed OTPs per minute of one key; fresh OTPs do not count; 0 for no limit'),
  logLevel: logLevel
    .default('info')
    .describe(
      'the lowest level to log: debug, info, warn, error, or silent for none; verifications are info',
    ),
});

export type Settings = Readonly<z.output<typeof SETTINGS>>;
