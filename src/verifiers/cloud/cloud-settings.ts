import type { Dispatcher } from 'undici';
import { assertDispatcher, checkMilliseconds, readCertificates } from '../../http/http-settings.js';
import { isLoopback } from '../../http/loopback.js';
import { assertOptions, type OptionNames } from '../../options.js';
import { parseApiKey } from '../../protocol/api-key.js';
import { isClientId, isSyncLevel, type SyncLevel } from '../../protocol/validation-request.js';

/** Yubico's validation service at its current address. The default of `servers`. */
export const YUBICLOUD = ['https://api.yubico.com/wsapi/2.0/verify'] as const;

/** The five addresses in Yubico's client guide. Since 2019, they are aliases of {@link YUBICLOUD}. */
export const YUBICLOUD_POOL = ['api', 'api2', 'api3', 'api4', 'api5'].map(
  (host) => `https://${host}.yubico.com/wsapi/2.0/verify`,
) as readonly string[];

export interface CloudVerifierOptions {
  /** The client id from the validation servers, in decimal. Yubico's: https://upgrade.yubico.com/getapikey/ */
  clientId: string | number | undefined;
  /**
   * The API key for the client id, in base64. It signs requests and authenticates answers. Without this option, the
   * servers must be `https:`, and only TLS authenticates the answers. The value undefined is refused, because it is
   * usually an unset environment variable.
   */
  apiKey?: string | undefined;
  /**
   * URLs of the validation servers, which must be one synchronised pool. All servers that work well are asked at once.
   * `http:` needs an API key, except for loopback addresses. Default: YubiCloud.
   */
  servers?: readonly string[] | undefined;
  /** Milliseconds for a whole verification. Default 10,000. */
  timeout?: number | undefined;
  /**
   * Milliseconds until a server that has not answered is asked again; a late answer still counts. In protocol 1.0,
   * milliseconds to connect to a server before the next one is asked. Default: `timeout` divided by the number of
   * attempts.
   */
  attemptTimeout?: number | undefined;
  /** How often a server is asked again with the same OTP and nonce, 0 to 10. Default 3; 0 in protocol 1.0. */
  retries?: number | undefined;
  /** Milliseconds to wait for another server's OK after a refusal. Default 500. */
  settleTime?: number | undefined;
  /**
   * The percentage of other servers that must agree, 0 to 100, or `fast` or `secure`. Default: the server's. Beware of
   * 0, which the reference server treats as a missing parameter.
   */
  syncLevel?: SyncLevel | undefined;
  /** Milliseconds that the server may wait for other servers, in whole seconds. Default: the server's. */
  syncTimeout?: number | undefined;
  /** Requests the OTP's counters, which `verifySequence` needs. Some servers then sign incorrectly. Default false. */
  counters?: boolean | undefined;
  /**
   * Refuses keys whose public ID starts with `vv` as BAD_OTP, without asking a server. Their owners generated the AES
   * key and uploaded it, so other devices may have the same AES key. Default false.
   */
  refuseUploadedKeys?: boolean | undefined;
  /**
   * The validation protocol. Answers of `1.0` contain neither OTP nor nonce, so it needs `https:`. Its servers are asked
   * one after another, and no server is asked again that may have received the OTP. Default `2.0`.
   */
  protocol?: '1.0' | '2.0' | undefined;
  /** Certificates to trust instead of the system's: PEM text, or the path of a PEM file. */
  ca?: string | undefined;
  /** An undici 7 dispatcher that sends the requests, such as a `ProxyAgent`. You close it. */
  dispatcher?: Dispatcher | undefined;
  /**
   * Accepts answers that anybody on the network could forge: `http:` without an API key, and protocol 1.0 with `http:`.
   * Default false.
   */
  dangerouslyAllowForgeableAnswers?: boolean | undefined;
}

const OPTION_NAMES: OptionNames<CloudVerifierOptions> = {
  clientId: true,
  apiKey: true,
  servers: true,
  timeout: true,
  attemptTimeout: true,
  retries: true,
  settleTime: true,
  syncLevel: true,
  syncTimeout: true,
  counters: true,
  refuseUploadedKeys: true,
  protocol: true,
  ca: true,
  dispatcher: true,
  dangerouslyAllowForgeableAnswers: true,
};

/** The checked options, with their defaults. */
export interface CloudSettings {
  readonly clientId: string;
  readonly apiKey: Buffer | undefined;
  readonly servers: readonly string[];
  readonly timeout: number;
  readonly attemptTimeout: number;
  readonly retries: number;
  readonly settleTime: number;
  readonly syncLevel: SyncLevel | undefined;
  /** Seconds. */
  readonly syncTimeout: number | undefined;
  readonly counters: boolean;
  readonly refuseUploadedKeys: boolean;
  readonly protocol: '1.0' | '2.0';
  readonly ca: string | undefined;
  readonly dispatcher: Dispatcher | undefined;
}

/** @throws TypeError that names the option and the values it takes, without repeating a secret. */
export function readCloudSettings(options: CloudVerifierOptions): CloudSettings {
  assertOptions('CloudVerifier', options, OPTION_NAMES);
  const { clientId, protocol = '2.0', syncLevel, syncTimeout, dispatcher } = options ?? {};
  if (clientId === undefined || clientId === '') throw new TypeError('CloudVerifier requires clientId');
  if (!isClientId(String(clientId))) throw new TypeError('clientId must be a decimal number');
  if (protocol !== '1.0' && protocol !== '2.0') throw new TypeError("protocol must be '1.0' or '2.0'");
  if (syncLevel !== undefined && !isSyncLevel(syncLevel)) {
    throw new TypeError("syncLevel must be a whole number from 0 to 100, 'fast' or 'secure'");
  }
  if (protocol === '1.0' && (syncLevel ?? syncTimeout) !== undefined) {
    throw new TypeError('syncLevel and syncTimeout need protocol 2.0');
  }
  assertDispatcher(dispatcher, options.ca);
  const apiKey = readApiKey(options);
  const servers = readServers(options, protocol, apiKey);
  const timeout = checkMilliseconds('timeout', options.timeout ?? 10_000);
  const retries = checkRetries(options.retries ?? (protocol === '1.0' ? 0 : 3), protocol);
  const asked = protocol === '1.0' ? servers.length : retries + 1;
  return {
    clientId: String(clientId),
    apiKey,
    servers,
    timeout,
    attemptTimeout: checkMilliseconds('attemptTimeout', options.attemptTimeout ?? Math.ceil(timeout / asked)),
    retries,
    settleTime: options.settleTime === 0 ? 0 : checkMilliseconds('settleTime', options.settleTime ?? 500),
    syncLevel,
    syncTimeout: syncTimeout === undefined ? undefined : toSeconds(syncTimeout),
    counters: options.counters ?? false,
    refuseUploadedKeys: options.refuseUploadedKeys ?? false,
    protocol,
    ca: options.ca === undefined ? undefined : readCertificates(options.ca),
    dispatcher,
  };
}

function readApiKey(options: CloudVerifierOptions): Buffer | undefined {
  if (!('apiKey' in options)) return undefined;
  if (options.apiKey === undefined) {
    throw new TypeError('apiKey is undefined: set it, or leave the option out to rely on TLS alone');
  }
  return parseApiKey(options.apiKey);
}

function checkRetries(retries: number, protocol: '1.0' | '2.0'): number {
  if (!Number.isInteger(retries) || retries < 0 || retries > 10) {
    throw new TypeError('retries must be a whole number from 0 to 10');
  }
  if (protocol === '1.0' && retries > 0) throw new TypeError('retries need protocol 2.0');
  return retries;
}

function toSeconds(syncTimeout: number): number {
  if (checkMilliseconds('syncTimeout', syncTimeout) % 1000 !== 0) {
    throw new TypeError('syncTimeout is in milliseconds and must be whole seconds, such as 2000');
  }
  return syncTimeout / 1000;
}

function readServers(
  options: CloudVerifierOptions,
  protocol: '1.0' | '2.0',
  apiKey: Buffer | undefined,
): readonly string[] {
  const { servers = protocol === '2.0' ? YUBICLOUD : undefined } = options;
  if (servers === undefined) {
    throw new TypeError('Protocol 1.0 requires servers: YubiCloud switched it off in 2019');
  }
  if (!Array.isArray(servers) || servers.length === 0) {
    throw new TypeError('servers must be an array of URLs of validation servers');
  }
  const isForgeable = apiKey === undefined || protocol === '1.0';
  for (const server of servers) {
    const url = parseServerUrl(server);
    if (url.protocol === 'https:' || isLoopback(url.hostname) || !isForgeable) continue;
    if (options.dangerouslyAllowForgeableAnswers === true) continue;
    const need = protocol === '1.0' ? 'protocol 1.0 needs https:' : 'use https: or give an apiKey';
    throw new TypeError(`Anybody on the network could forge the answers of ${server}: ${need}`);
  }
  return [...new Set(servers)];
}

function parseServerUrl(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  const isPlain = url?.username === '' && url.password === '' && !/[?#]/.test(server);
  if (!url || !isPlain || !['https:', 'http:'].includes(url.protocol)) {
    throw new TypeError(
      'servers takes URLs like https://api.yubico.com/wsapi/2.0/verify, without credentials, query or fragment',
    );
  }
  return url;
}
