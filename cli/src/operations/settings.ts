import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { DEFAULT_DATABASE } from '../global-options.js';

/** One setting of the service: how it is given, and what it takes. */
export interface Setting<Value> {
  /** As commander writes it; undefined for what every command takes. */
  readonly flag?: string;
  readonly description: string;
  /** What fits, in words. */
  readonly takes: string;
  readonly schema: z.ZodType<Value>;
  /** Reads it from the command line or the environment; what does not fit is left for the schema to refuse. */
  fromText(text: string): unknown;
  readonly fallback: Value;
}

function text<Fallback extends string | undefined>(
  fallback: Fallback,
  description: string,
  flag?: string,
): Setting<string | Fallback> {
  const schema = z.string().min(1) as z.ZodType<string | Fallback>;
  return { ...flagOf(flag), description, takes: 'a text', schema, fromText: (given) => given, fallback };
}

function whole<Fallback extends number | undefined>(
  fallback: Fallback,
  max: number,
  description: string,
  flag: string,
): Setting<number | Fallback> {
  const schema = z.int().min(0).max(max) as z.ZodType<number | Fallback>;
  const fromText = (given: string) => (/^\d+$/.test(given) ? Number(given) : given);
  return { flag, description, takes: `a whole number from 0 to ${max}`, schema, fromText, fallback };
}

function port<Fallback extends number | undefined>(fallback: Fallback, description: string, flag: string) {
  return whole(fallback, 65_535, description, flag);
}

function rate(perMinute: number, description: string, flag: string) {
  return whole(perMinute, 1_000_000_000, `${description} a minute, 0 for any number`, flag);
}

function choice<Choice extends string>(
  choices: readonly Choice[],
  fallback: Choice,
  description: string,
  flag: string,
): Setting<Choice> {
  const takes = `one of ${choices.join(', ')}`;
  return { flag, description, takes, schema: z.enum(choices), fromText: (given) => given, fallback };
}

function yesOrNo(fallback: boolean, description: string, flag?: string): Setting<boolean> {
  const words: Readonly<Record<string, boolean>> = { true: true, false: false };
  const fromText = (given: string) => words[given] ?? given;
  return { ...flagOf(flag), description, takes: 'true or false', schema: z.boolean(), fromText, fallback };
}

function addresses(
  names: readonly string[],
  description: string,
  flag: string,
): Setting<readonly string[] | undefined> {
  const isFit = (entry: string) =>
    names.includes(entry) ||
    isIP(entry) !== 0 ||
    (isIP(entry.split('/')[0] ?? '') !== 0 && ipaddr.isValidCIDR(entry));
  const takes = [
    'addresses and ranges such as 10.0.0.0/8, separated by commas (in a file: a list of texts)',
    ...(names.length > 0 ? [`or ${names.join(', ')}`] : []),
  ].join(', ');
  const fromText = (given: string) => given.split(',').map((entry) => entry.trim());
  return {
    flag,
    description,
    takes,
    schema: z.array(z.string().refine(isFit)).min(1),
    fromText,
    fallback: undefined,
  };
}

const flagOf = (flag: string | undefined) => (flag === undefined ? {} : { flag });

/** How the ranges of addresses are called that proxies usually have. */
const RANGES = ['loopback', 'linklocal', 'uniquelocal'];

/** Every setting of `yubikey-otp serve`, by the name that it has in a configuration file. */
export const SETTINGS = {
  db: text(DEFAULT_DATABASE, 'a SQLite file, or a postgres: or redis: URL'),
  masterKeyFile: text(undefined, 'a file with the master keys'),
  allowReplayAfterCrash: yesOrNo(false, 'go on with a database that can forget accepted OTPs'),

  host: text('127.0.0.1', 'the address to listen on', '--host <address>'),
  port: port(8080, 'the port to listen on; 0 for any that is free', '--port <number>'),
  validation: yesOrNo(true, 'do not serve validation', '--no-validation'),
  ksm: yesOrNo(true, 'do not serve the KSM', '--no-ksm'),
  ksmHost: text(undefined, 'an address of its own for the KSM (default: --host)', '--ksm-host <address>'),
  ksmPort: port(
    undefined,
    'a port of its own for the KSM (default: --port, or 8002 with --ksm-host)',
    '--ksm-port <number>',
  ),
  metricsHost: text('127.0.0.1', 'the address of --metrics-port', '--metrics-host <address>'),
  metricsPort: port(
    undefined,
    'a port of its own for /metrics (default: --port, for this machine only)',
    '--metrics-port <number>',
  ),
  tlsCert: text(undefined, 'a file with the certificate and its chain (PEM)', '--tls-cert <file>'),
  tlsKey: text(undefined, 'a file with the private key of the certificate (PEM)', '--tls-key <file>'),

  managementTokenFile: text(
    undefined,
    'a file with the token of those who may manage keys over HTTP (default: YUBIKEY_MANAGEMENT_TOKEN in the environment)',
    '--management-token-file <file>',
  ),
  allowDecryptFrom: addresses(
    [],
    'addresses and ranges that may ask the KSM to decrypt, separated by commas (default: all)',
    '--allow-decrypt-from <addresses>',
  ),
  trustProxy: addresses(
    RANGES,
    'addresses and ranges of proxies whose X-Forwarded-For is believed, separated by commas',
    '--trust-proxy <addresses>',
  ),
  wsapiRefuseReplays: yesOrNo(
    false,
    'refuse replays in /wsapi/decrypt too, which a validation server in front of it needs not',
    '--wsapi-refuse-replays',
  ),
  wsapiYubikeyKsmWording: yesOrNo(
    false,
    'call a missing key as yubikey-ksm does in /wsapi/decrypt',
    '--wsapi-yubikey-ksm-wording',
  ),
  delayTolerance: yesOrNo(
    false,
    'refuse OTPs that were typed long before they were sent, by the clock of the key',
    '--delay-tolerance',
  ),

  addressLimit: rate(60_000, 'requests of one address (of IPv6: a /64 network)', '--address-limit <number>'),
  clientLimit: rate(60_000, 'signed requests of one client', '--client-limit <number>'),
  replayLimit: rate(60, 'replayed OTPs of one key; fresh ones are never limited', '--replay-limit <number>'),
  logLevel: choice(
    ['error', 'warn', 'info', 'debug', 'silent'],
    'info',
    'what is logged; verifications are info',
    '--log-level <level>',
  ),
} satisfies Readonly<Record<string, Setting<unknown>>>;

export type SettingName = keyof typeof SETTINGS;

export type Settings = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer Value> ? Value : never;
};

/** The name of a setting in the environment. */
export function environmentNameOf(name: string): string {
  return `YUBIKEY_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
