import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { isClientId, parseApiKey } from 'passport-yubikey-otp/protocol';
import { isLoopback } from 'passport-yubikey-otp/server';

export interface Config {
  production: boolean;
  host: string;
  port: number;
  databaseFile: string;
  /** A PostgreSQL database instead of the file. Any number of instances can share it. */
  databaseUrl?: string | undefined;
  /** A Redis server for sessions and limits. Any number of instances can share it. */
  redisUrl?: string | undefined;
  sessionSecret: string;
  /** The validation servers to ask. Without them the app is a demo: it creates a user and virtual YubiKeys. */
  cloud?: CloudConfig | undefined;
}

export interface CloudConfig {
  clientId: string;
  apiKey: string;
  /** Default: YubiCloud. */
  servers?: string[] | undefined;
}

/** Reports all mistakes in the configuration to the person who starts the app. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(mistakes: readonly string[]) {
    super(`The app cannot start:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
  }
}

/** The default database file, for the demo only. */
export const DEMO_DATABASE_FILE = fileURLToPath(new URL('../example.db', import.meta.url));
const INSTEAD_OF_A_DEMO =
  'set YUBICO_CLIENT_ID and YUBICO_API_KEY, which https://upgrade.yubico.com/getapikey/ gives you';

/** @throws ConfigError */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const mistakes: string[] = [];
  const read = (name: string) => environment[name]?.trim() || undefined;
  const nodeEnv = read('NODE_ENV') ?? 'development';
  // A typo such as "Production" or "prod" must not start the app with settings for development.
  if (!['production', 'development', 'test'].includes(nodeEnv)) {
    mistakes.push('NODE_ENV must be production, development or test, in lower case, or unset');
  }
  const production = nodeEnv === 'production';
  const host = read('HOST') ?? 'localhost';

  const port = Number(read('PORT') ?? 3000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    mistakes.push('PORT must be a whole number from 0 to 65535');
  }

  const sessionSecret = read('SESSION_SECRET');
  const databaseUrl = readUrl(read, 'DATABASE_URL', ['postgres:', 'postgresql:'], mistakes);
  const redisUrl = readUrl(read, 'REDIS_URL', ['redis:', 'rediss:'], mistakes);
  if ((production || databaseUrl || redisUrl) && !sessionSecret) {
    mistakes.push(
      'SESSION_SECRET is missing: set at least 32 random characters, the same at every start and in every instance',
    );
  } else if (sessionSecret && sessionSecret.length < 32) {
    mistakes.push('SESSION_SECRET is too short: set at least 32 random characters');
  }

  const cloud = readCloud(read, mistakes);
  const demo = read('DEMO') ?? (cloud ? '0' : '1');
  if (demo !== '0' && demo !== '1') mistakes.push('DEMO must be 1 or 0');
  else if (cloud && demo === '1') {
    mistakes.push('DEMO=1 and YUBICO_CLIENT_ID exclude each other: unset one of them');
  } else if (!cloud && demo === '0') {
    mistakes.push(`DEMO=0 leaves nothing to check OTPs with: ${INSTEAD_OF_A_DEMO}`);
  } else if (demo === '1' && production) {
    mistakes.push(
      `Demo mode is refused with NODE_ENV=production, since everybody could sign in: ${INSTEAD_OF_A_DEMO}`,
    );
  } else if (demo === '1' && read('DEMO') === undefined && !isLoopback(host)) {
    mistakes.push(
      `Demo mode is refused at HOST=${host}, since everybody who reaches it could sign in: unset HOST; or ${INSTEAD_OF_A_DEMO}; or set DEMO=1 if that is intended`,
    );
  }

  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return {
    production,
    host,
    port,
    databaseFile: read('DATABASE_FILE') ?? DEMO_DATABASE_FILE,
    databaseUrl,
    redisUrl,
    sessionSecret: sessionSecret ?? randomBytes(32).toString('hex'),
    cloud,
  };
}

type Read = (name: string) => string | undefined;

/** Error messages do not repeat the URL, since it may contain a password. */
function readUrl(read: Read, name: string, protocols: string[], mistakes: string[]): string | undefined {
  const url = read(name);
  if (url !== undefined && !(URL.canParse(url) && protocols.includes(new URL(url).protocol))) {
    mistakes.push(`${name} must be a URL that starts with ${protocols[0]}//`);
  }
  return url;
}

function readCloud(read: Read, mistakes: string[]): CloudConfig | undefined {
  const clientId = read('YUBICO_CLIENT_ID');
  const apiKey = read('YUBICO_API_KEY');
  const servers = read('YUBIKEY_SERVERS')
    ?.split(',')
    .map((url) => url.trim());
  if (!clientId && !apiKey && !servers) return undefined;

  if (!clientId) mistakes.push('YUBICO_CLIENT_ID is missing; it goes with YUBICO_API_KEY');
  else if (!isClientId(clientId)) mistakes.push('YUBICO_CLIENT_ID must be a number, such as 12345');
  if (!apiKey) mistakes.push('YUBICO_API_KEY is missing; it goes with YUBICO_CLIENT_ID');
  else if (!isApiKey(apiKey)) mistakes.push('YUBICO_API_KEY must be base64');
  for (const url of servers ?? []) {
    if (!/^https?:/i.test(url) || !URL.canParse(url)) {
      mistakes.push(`YUBIKEY_SERVERS must be URLs separated by commas; this is not a URL: "${url}"`);
    }
  }
  return { clientId: clientId ?? '', apiKey: apiKey ?? '', servers };
}

function isApiKey(text: string): boolean {
  try {
    return parseApiKey(text).length > 0;
  } catch {
    return false;
  }
}
