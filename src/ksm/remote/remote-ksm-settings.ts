import type { Dispatcher } from 'undici';
import { assertDispatcher, checkMilliseconds, readCertificates } from '../../http/http-settings.js';
import { isLoopback } from '../../http/loopback.js';
import { assertOptions, type OptionNames } from '../../options.js';
import { KSM_PATHS } from '../../protocol/paths.js';

export interface RemoteKsmOptions {
  /**
   * URLs of the KSMs, which must all have the same keys. A URL is that of the service (`https://ksm.example/`) or, as in
   * the configuration of other software, of its decryption (`https://ksm.example/wsapi/decrypt/?otp=`). `http:` is
   * allowed only for loopback addresses.
   */
  urls: readonly string[];
  /**
   * The protocol of the KSMs. `wsapi` is stateless, so all KSMs are asked at once, and the first that decrypts decides.
   * `rest` refuses replays itself, so the KSMs are asked one after another. With `wsapi`, a KSM is trusted to compare
   * the private ID. With `rest`, its answer must confirm that (`private_id_checked`).
   */
  protocol: 'rest' | 'wsapi';
  /** Milliseconds for a whole decryption. With `rest`, they are divided among the servers. Default 5,000. */
  timeout?: number | undefined;
  /** Certificates to trust instead of the system's: PEM text, or the path of a PEM file. */
  ca?: string | undefined;
  /** An undici 7 dispatcher that sends the requests, such as an `Agent` with a client certificate. You close it. */
  dispatcher?: Dispatcher | undefined;
  /**
   * Allows `http:` to other machines. The answers of a KSM are not signed, so anybody on the network could then forge
   * one and sign in with any key. Default false.
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

/** One KSM. */
export interface KsmServer {
  /** The URL as configured. */
  readonly url: string;
  /** The URL that OTPs are sent to. With `wsapi`, the OTP is appended. */
  readonly endpoint: string;
}

/** The checked options, with their defaults. */
export interface RemoteKsmSettings {
  readonly servers: readonly KsmServer[];
  readonly protocol: 'rest' | 'wsapi';
  readonly timeout: number;
  readonly ca: string | undefined;
  readonly dispatcher: Dispatcher | undefined;
}

/** @throws TypeError that names the option and the values it takes. */
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
      `urls takes URLs like https://ksm.example/ or https://ksm.example${PATHS[protocol]}${query}, without credentials, other query or fragment`,
    );
  }
  if (parsed.protocol === 'http:' && !isLoopback(parsed.hostname) && !isForgeableAllowed) {
    throw new TypeError(`Anybody on the network could forge the answers of ${parsed.host}: use https:`);
  }
  return { url: url as string, endpoint: buildEndpoint(parsed, protocol, query) };
}

/** A reference server of `wsapi` needs the slash. */
const PATHS = { rest: KSM_PATHS.rest, wsapi: `${KSM_PATHS.wsapi}/` } as const;

/** Appends the standard path, unless the URL has that path or a query: other KSMs have other paths. */
function buildEndpoint({ origin, pathname, search }: URL, protocol: 'rest' | 'wsapi', query: string): string {
  const folder = withoutEnd(pathname, '/');
  const isWhole = search !== '' || folder.endsWith(KSM_PATHS[protocol]);
  return origin + (isWhole ? pathname : folder + PATHS[protocol]) + query;
}

function withoutEnd(text: string, end: string): string {
  return end !== '' && text.endsWith(end) ? text.slice(0, -end.length) : text;
}
