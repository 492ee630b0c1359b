import { DEFAULT_DATABASE } from '../../terminal/global-options.js';

/** The type of a setting's value, by the setting's kind. */
export interface SettingValues {
  text: string;
  port: number;
  /** Times a minute; 0 for no limit. */
  rate: number;
  yesOrNo: boolean;
  /** IP addresses and ranges. */
  addresses: readonly string[];
  /** IP addresses and ranges, or the names of the ranges that proxies usually have. */
  proxies: readonly string[];
  logLevel: string;
}

export type Kind = keyof SettingValues;

/** One setting of the service. */
export interface Setting<Of extends Kind = Kind, Fallback = unknown> {
  readonly kind: Of;
  readonly fallback: Fallback;
  readonly description: string;
  /** As commander writes it; undefined for an option of every command. */
  readonly flag: string | undefined;
}

function setting<Of extends Kind, Fallback extends SettingValues[Of] | undefined>(
  kind: Of,
  fallback: Fallback,
  description: string,
  flag?: string,
): Setting<Of, Fallback> {
  return { kind, fallback, description, flag };
}

/** Every setting of `yubikey-otp serve`, by the name that it has in a configuration file. */
export const SETTINGS = {
  db: setting('text', DEFAULT_DATABASE, 'a SQLite file, or a postgres: or redis: URL'),
  masterKeyFile: setting('text', undefined, 'a file with the master keys'),
  allowReplayAfterCrash: setting('yesOrNo', false, 'use a database that can forget accepted OTPs'),

  host: setting('text', '127.0.0.1', 'the address to listen on', '--host <address>'),
  port: setting('port', 8080, 'the port to listen on; 0 for any free port', '--port <number>'),
  validation: setting('yesOrNo', true, 'do not serve validation', '--no-validation'),
  ksm: setting('yesOrNo', true, 'do not serve the KSM', '--no-ksm'),
  ksmHost: setting(
    'text',
    undefined,
    'a separate address for the KSM (default: --host)',
    '--ksm-host <address>',
  ),
  ksmPort: setting(
    'port',
    undefined,
    'a separate port for the KSM (default: --port, or 8002 with --ksm-host)',
    '--ksm-port <number>',
  ),
  metricsHost: setting('text', '127.0.0.1', 'the address of --metrics-port', '--metrics-host <address>'),
  metricsPort: setting(
    'port',
    undefined,
    'a separate port for /metrics (default: on --port, only for this machine)',
    '--metrics-port <number>',
  ),
  tlsCert: setting('text', undefined, 'a file with the certificate and its chain (PEM)', '--tls-cert <file>'),
  tlsKey: setting(
    'text',
    undefined,
    'a file with the private key of the certificate (PEM)',
    '--tls-key <file>',
  ),

  managementTokenFile: setting(
    'text',
    undefined,
    'a file with the token that allows managing keys over HTTP (default: YUBIKEY_MANAGEMENT_TOKEN in the environment)',
    '--management-token-file <file>',
  ),
  allowDecryptFrom: setting(
    'addresses',
    undefined,
    'addresses and ranges that may ask the KSM to decrypt OTPs, separated by commas (default: all)',
    '--allow-decrypt-from <addresses>',
  ),
  trustProxy: setting(
    'proxies',
    undefined,
    'addresses and ranges of proxies whose X-Forwarded-For is trusted, separated by commas',
    '--trust-proxy <addresses>',
  ),
  dangerouslyManageKeysWithoutToken: setting(
    'yesOrNo',
    false,
    'let every program and every proxy on this machine manage keys over HTTP',
    '--dangerously-manage-keys-without-token',
  ),
  wsapiRefuseReplays: setting(
    'yesOrNo',
    false,
    'refuse replays in /wsapi/decrypt too; not needed behind a validation server',
    '--wsapi-refuse-replays',
  ),
  wsapiYubikeyKsmWording: setting(
    'yesOrNo',
    false,
    'use the wording of yubikey-ksm for an unknown key in /wsapi/decrypt',
    '--wsapi-yubikey-ksm-wording',
  ),
  delayTolerance: setting(
    'yesOrNo',
    false,
    'refuse OTPs that were typed long before they were sent, as measured by the clock of the key',
    '--delay-tolerance',
  ),

  addressLimit: setting(
    'rate',
    60_000,
    'requests per minute from one address (IPv6: one /64 network); 0 for no limit',
    '--address-limit <number>',
  ),
  clientLimit: setting(
    'rate',
    60_000,
    'signed requests per minute from one client; 0 for no limit',
    '--client-limit <number>',
  ),
  replayLimit: setting(
    'rate',
    60,
    'replayed OTPs per minute of one key; fresh OTPs do not count; 0 for no limit',
    '--replay-limit <number>',
  ),
  logLevel: setting(
    'logLevel',
    'info',
    'the lowest level to log: debug, info, warn, error, or silent for none; verifications are info',
    '--log-level <level>',
  ),
} satisfies Readonly<Record<string, Setting>>;

type SettingName = keyof typeof SETTINGS;

export type Settings = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer Of, infer Fallback>
    ? SettingValues[Of] | Extract<Fallback, undefined>
    : never;
};

/** The environment variable of a setting. */
export function toEnvironmentName(name: string): string {
  return `YUBIKEY_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
