import type { Dispatcher } from 'undici';
import {
  assertDispatcher,
  checkMilliseconds,
  isLoopback,
  readCertificates,
} from '../../http/http-settings.js';
import { assertOptions, type OptionNames } from '../../options.js';

export interface RemoteKsmOptions {
  /**
   * URLs of the KSMs, which all hold the same keys: of the service (`https://ksm.example/`), or of its decryption
   * as other software writes it (`https://ksm.example/wsapi/decrypt/?otp=`). `http:` is for loopback addresses.
   */
  urls: readonly string[];
  /**
   * What they speak. `wsapi` is stateless, so all are asked at once and the first that decrypts is believed;
   * `rest` refuses replays itself, so they are asked one after another. Over `wsapi` a KSM promises to compare
   * the private ID; over `rest` it must say so in its answer (`private_id_checked`).
   */
  protocol: 'rest' | 'wsapi';
  /** Milliseconds for a whole decryption; `rest` shares them out among the servers. Default 5,000. */
  timeout?: number | undefined;
  /** Certificates to trust instead of the system's: PEM text, or the path of a PEM file. */
  ca?: string | undefined;
  /** An undici 7 dispatcher to send through, such as an `Agent` with a client certificate. Yours to close. */
  dispatcher?: Dispatcher | undefined;
  /**
   * Allows `http:` to other machines. The answers of a KSM are not signed: anybody on the network could then make
   * one, and so sign in as any key. Default false.
   */
  dangerouslyAllowForgeableAnswers?: boolean | undefined;
}

const OPTION_NAMES: OptionNames<RemoteKsmOptions> = {
  urls: true,
  protocol: true,
  timeout: true,
  ca: true,
  dispatcher: true,
  dangerouslyAllowForgeableAnswers: true,
};

/** One KSM: the URL as configured, and the one that is asked. */
export interface KsmServer {
  readonly url: string;
  /** Where to send an OTP; in `wsapi`, with the OTP behind it. */
  readonly endpoint: string;
}

/** Options that have been checked, with their defaults. */
export interface RemoteKsmSettings {
  readonly servers: readonly KsmServer[];
  readonly protocol: 'rest' | 'wsapi';
  readonly timeout: number;
  readonly ca: string | undefined;
  readonly dispatcher: Dispatcher | undefined;
}

/** @throws TypeError that names the option and what it takes. */
export function readRemoteKsmSettings(options: RemoteKsmOptions): RemoteKsmSettings {
  assertOptions('RemoteKsm', options, OPTION_NAMES);
  const { urls, protocol, timeout = 5000, ca, dispatcher } = options ?? {};
  if (!Array.isArray(urls) || urls.length === 0) {
    throw new TypeError('RemoteKsm requires urls, an array of URLs such as https://ksm.example/');
  }
  if (protocol !== 'rest' && protocol !== 'wsapi') {
    throw new TypeError("RemoteKsm requires protocol, 'rest' or 'wsapi'");
  }
  assertDispatcher(dispatcher, ca);
  const isForgeableAllowed = options.dangerouslyAllowForgeableAnswers === true;
  const servers = urls.map((url) => parseKsmUrl(url, protocol, isForgeableAllowed));
  return {
    servers: [...new Map(servers.map((server) => [server.endpoint, server])).values()],
    protocol,
    timeout: checkMilliseconds('timeout', timeout),
    ca: ca === undefined ? undefined : readCertificates(ca),
    dispatcher,
  };
}

function parseKsmUrl(url: unknown, protocol: 'rest' | 'wsapi', isForgeableAllowed: boolean): KsmServer {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  const query = protocol === 'wsapi' ? '?otp=' : '';
  const isPlain =
    parsed?.username === '' && parsed.password === '' && !/[?#]/.test(withoutEnd(String(url), query));
  if (!parsed || !isPlain || !['https:', 'http:'].includes(parsed.protocol)) {
    throw new TypeError(
      `urls takes URLs like https://ksm.example/ or https://ksm.example/${PATHS[protocol]}${query}, without credentials, other query or fragment`,
    );
  }
  if (parsed.protocol === 'http:' && !isLoopback(parsed.hostname) && !isForgeableAllowed) {
    throw new TypeError(`Anybody on the network could forge the answers of ${parsed.host}: use https:`);
  }
  return { url: url as string, endpoint: buildEndpoint(parsed, protocol, query) };
}

const PATHS = { rest: 'api/v1/decrypt', wsapi: 'wsapi/decrypt/' } as const;
const IS_WHOLE = { rest: /\/api\/v1\/decrypt$/, wsapi: /\/wsapi\/decrypt\/?$/ } as const;

/** A URL that ends in a query is whole, whatever its path: other KSMs have others. */
function buildEndpoint({ origin, pathname, search }: URL, protocol: 'rest' | 'wsapi', query: string): string {
  const isWhole = search !== '' || IS_WHOLE[protocol].test(pathname);
  return origin + (isWhole ? pathname : `${withoutEnd(pathname, '/')}/${PATHS[protocol]}`) + query;
}

function withoutEnd(text: string, end: string): string {
  return end !== '' && text.endsWith(end) ? text.slice(0, -end.length) : text;
}
