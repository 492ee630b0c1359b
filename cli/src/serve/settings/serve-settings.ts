import { DEFAULT_DATABASE } from '../../terminal/global-options.js';

/** What a setting can be, by its kind. */
export interface ValueOf {
  text: string;
  port: number;
  /** How often a minute; 0 for any number. */
  rate: number;
  yesOrNo: boolean;
  /** Addresses, and ranges of them. */
  addresses: readonly string[];
  /** The same, or how the ranges are called that proxies usually have. */
  proxies: readonly string[];
  logLevel: string;
}

export type Kind = keyof ValueOf;

/** One setting of the service. */
export interface Setting<Of extends Kind = Kind, Fallback = unknown> {
  readonly kind: Of;
  readonly fallback: Fallback;
  readonly description: string;
  /** As commander writes it; undefined for what every command takes. */
  readonly flag: string | undefined;
}

function setting<Of extends Kind, Fallback extends ValueOf[Of] | undefined>(
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
  allowReplayAfterCrash: setting('yesOrNo', false, 'go on with a database that can forget accepted OTPs'),

  host: setting('text', '127.0.0.1', 'the address to listen on', '--host <address>'),
  port: setting('port', 8080, 'the port to listen on; 0 for any that is free', '--port <number>'),
  validation: setting('yesOrNo', true, 'do not serve validation', '--no-validation'),
  ksm: setting('yesOrNo', true, 'do not serve the KSM', '--no-ksm'),
  ksmHost: setting(
    'text',
    undefined,
    'an address of its own for the KSM (default: --host)',
    '--ksm-host <address>',
  ),
  ksmPort: setting(
    'port',
    undefined,
    'a port of its own for the KSM (default: --port, or 8002 with --ksm-host)',
    '--ksm-port <number>',
  ),
  metricsHost: setting('text', '127.0.0.1', 'the address of --metrics-port', '--metrics-host <address>'),
  metricsPort: setting(
    'port',
    undefined,
    'a port of its own for /metrics (default: --port, for this machine only)',
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
    'a file with the token of those who may manage keys over HTTP (default: YUBIKEY_MANAGEMENT_TOKEN in the environment)',
    '--management-token-file <file>',
  ),
  allowDecryptFrom: setting(
    'addresses',
    undefined,
    'addresses and ranges that may ask the KSM to decrypt, separated by commas (default: all)',
    '--allow-decrypt-from <addresses>',
  ),
  trustProxy: setting(
    'proxies',
    undefined,
    'addresses and ranges of proxies whose X-Forwarded-For is believed, separated by commas',
    '--trust-proxy <addresses>',
  ),
  dangerouslyManageKeysWithoutToken: setting(
    'yesOrNo',
    false,
    'let every program on this machine, and every proxy here, manage keys over HTTP',
    '--dangerously-manage-keys-without-token',
  ),
  wsapiRefuseReplays: setting(
    'yesOrNo',
    false,
    'refuse replays in /wsapi/decrypt too, which a validation server in front of it needs not',
    '--wsapi-refuse-replays',
  ),
  wsapiYubikeyKsmWording: setting(
    'yesOrNo',
    false,
    'call a missing key as yubikey-ksm does in /wsapi/decrypt',
    '--wsapi-yubikey-ksm-wording',
  ),
  delayTolerance: setting(
    'yesOrNo',
    false,
    'refuse OTPs that were typed long before they were sent, by the clock of the key',
    '--delay-tolerance',
  ),

  addressLimit: setting(
    'rate',
    60_000,
    'requests of one address (of IPv6: a /64 network) a minute; 0 for any number',
    '--address-limit <number>',
  ),
  clientLimit: setting(
    'rate',
    60_000,
    'signed requests of one client a minute; 0 for any number',
    '--client-limit <number>',
  ),
  replayLimit: setting(
    'rate',
    60,
    'replayed OTPs of one key a minute, fresh ones not counted; 0 for any number',
    '--replay-limit <number>',
  ),
  logLevel: setting('logLevel', 'info', 'what is logged; verifications are info', '--log-level <level>'),
} satisfies Readonly<Record<string, Setting>>;

type SettingName = keyof typeof SETTINGS;

export type Settings = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer Of, infer Fallback>
    ? ValueOf[Of] | Extract<Fallback, undefined>
    : never;
};

/** The name of a setting in the environment. */
export function environmentNameOf(name: string): string {
  return `YUBIKEY_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
