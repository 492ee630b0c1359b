import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../src/config.js';

const CLOUD = { YUBICO_CLIENT_ID: '87', YUBICO_API_KEY: 'mG5be6ZJU1qBGz24yPh/ESM3UdU=' };
const PRODUCTION = { NODE_ENV: 'production', SESSION_SECRET: 'x'.repeat(32) };

function readMistakes(environment: NodeJS.ProcessEnv): string {
  try {
    readConfig(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return 'none';
}

describe('readConfig', () => {
  test('with an empty environment, is in demo mode', () => {
    const config = readConfig({});
    expect(config).toMatchObject({ production: false, host: 'localhost', port: 3000 });
    expect(config.cloud).toBeUndefined();
    expect(config.databaseFile).toMatch(/example-app.example\.db$/);
  });

  test('allows a demo beyond this machine only if DEMO=1 says so', () => {
    for (const HOST of ['localhost', '127.0.0.1', '127.1.2.3', '::1']) {
      expect(readConfig({ HOST }).host).toBe(HOST);
    }
    expect(readConfig({ HOST: '0.0.0.0', DEMO: '1' }).cloud).toBeUndefined();
    expect(readConfig({ HOST: '0.0.0.0', ...CLOUD }).host).toBe('0.0.0.0');
  });

  test('generates a session secret at each start', () => {
    expect(readConfig({}).sessionSecret).toHaveLength(64);
    expect(readConfig({}).sessionSecret).not.toBe(readConfig({}).sessionSecret);
  });

  test('asks validation servers if it has their credentials', () => {
    const servers = 'https://one.example/wsapi/2.0/verify, https://two.example/wsapi/2.0/verify';
    expect(readConfig({ ...CLOUD, ...PRODUCTION }).cloud).toEqual({
      clientId: '87',
      apiKey: CLOUD.YUBICO_API_KEY,
    });
    expect(readConfig({ ...CLOUD, YUBIKEY_SERVERS: servers }).cloud?.servers).toEqual(servers.split(', '));
  });

  test.each<[string, NodeJS.ProcessEnv]>([
    ['PORT must be', { PORT: 'http' }],
    ['PORT must be', { PORT: '70000' }],
    ['DEMO must be 1 or 0', { DEMO: 'maybe' }],
    ['DEMO must be 1 or 0', { ...CLOUD, DEMO: 'maybe' }],
    ['DEMO=0 leaves nothing to check OTPs with: set YUBICO_CLIENT_ID and YUBICO_API_KEY', { DEMO: '0' }],
    ['Demo mode is refused with NODE_ENV=production', PRODUCTION],
    ['Demo mode is refused with NODE_ENV=production', { ...PRODUCTION, DEMO: '1' }],
    ['Demo mode is refused at HOST=0.0.0.0', { HOST: '0.0.0.0' }],
    ['Demo mode is refused at HOST=::', { HOST: '::' }],
    ['Demo mode is refused at HOST=app.example', { HOST: 'app.example', NODE_ENV: 'development' }],
    ['NODE_ENV must be production, development or test', { ...CLOUD, ...PRODUCTION, NODE_ENV: 'Production' }],
    ['NODE_ENV must be production, development or test', { NODE_ENV: 'prod' }],
    ['NODE_ENV must be production, development or test', { NODE_ENV: 'staging' }],
    ['DEMO=1 and YUBICO_CLIENT_ID exclude each other', { ...CLOUD, DEMO: '1' }],
    ['SESSION_SECRET is missing', { ...CLOUD, NODE_ENV: 'production' }],
    ['SESSION_SECRET is missing', { DATABASE_URL: 'postgres://localhost/app' }],
    ['SESSION_SECRET is missing', { REDIS_URL: 'redis://localhost' }],
    ['DATABASE_URL must be a URL that starts with postgres://', { DATABASE_URL: 'mysql://localhost/app' }],
    ['REDIS_URL must be a URL that starts with redis://', { REDIS_URL: 'localhost' }],
    ['SESSION_SECRET is too short', { SESSION_SECRET: 'short' }],
    ['YUBICO_API_KEY is missing', { YUBICO_CLIENT_ID: '87' }],
    ['YUBICO_CLIENT_ID is missing', { YUBICO_API_KEY: CLOUD.YUBICO_API_KEY }],
    ['YUBICO_CLIENT_ID is missing', { YUBIKEY_SERVERS: 'https://one.example/' }],
    ['YUBICO_CLIENT_ID must be a number', { ...CLOUD, YUBICO_CLIENT_ID: 'me' }],
    ['YUBICO_API_KEY must be base64', { ...CLOUD, YUBICO_API_KEY: 'not base64!' }],
    ['YUBIKEY_SERVERS must be URLs', { ...CLOUD, YUBIKEY_SERVERS: 'one.example' }],
  ])('says: %s', (words, environment) => {
    expect(readMistakes(environment)).toContain(words);
  });

  test('reports every mistake at once, and repeats no secret', () => {
    const message = readMistakes({ PORT: 'x', SESSION_SECRET: 'hush', YUBICO_API_KEY: 'hush!' });
    expect(message.match(/^ {2}- /gm)).toHaveLength(4);
    expect(message).not.toContain('hush');
  });
});
