import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CloudVerifier, type CloudVerifierOptions, YUBICLOUD, YUBICLOUD_POOL } from '../../../src/index.js';
import { readCloudSettings } from '../../../src/verifiers/cloud/cloud-settings.js';
import { API_KEY } from '../../support/verifiers/cloud/fake-server.js';

const HTTPS = ['https://otp.example/wsapi/2.0/verify'];
const HTTP = ['http://otp.example/wsapi/2.0/verify'];

/** Creates a verifier with an API key, unless `apiKey` is null. */
function construct({ apiKey = API_KEY, ...options }: { apiKey?: string | null; [option: string]: unknown }) {
  return new CloudVerifier({
    clientId: '87',
    ...(apiKey === null ? {} : { apiKey }),
    ...options,
  } as CloudVerifierOptions);
}

describe('CloudVerifier refuses', () => {
  it.each([
    ['no options', undefined, 'clientId'],
    ['no clientId', {}, 'clientId'],
    ['an empty clientId', { clientId: '' }, 'clientId'],
    ['a clientId that is not a number', { clientId: '87 ' }, 'clientId'],
    [
      'an apiKey from an unset environment variable',
      { clientId: 87, apiKey: undefined },
      'leave the option out',
    ],
    ['an empty apiKey', { clientId: 87, apiKey: '' }, 'apiKey'],
    ['an apiKey that is not base64', { clientId: 87, apiKey: 'not base64!' }, 'apiKey'],
    ['an apiKey without its padding', { clientId: 87, apiKey: API_KEY.replace('=', '') }, 'apiKey'],
  ])('%s', (_name, options, named) => {
    expect(() => new CloudVerifier(options as CloudVerifierOptions)).toThrow(TypeError);
    expect(() => new CloudVerifier(options as CloudVerifierOptions)).toThrow(named);
  });

  it.each([
    ['http: without an API key', { apiKey: null, servers: HTTP }, 'https:'],
    ['protocol 1.0 over http:', { protocol: '1.0', servers: HTTP }, 'https:'],
    ['protocol 1.0 without servers', { protocol: '1.0' }, 'servers'],
    ['an unknown protocol', { protocol: '3.0' }, 'protocol'],
    ['no servers', { servers: [] }, 'servers'],
    ['a server that is not a URL', { servers: ['api.yubico.com'] }, 'servers'],
    ['another scheme', { servers: ['ftp://api.yubico.com/'] }, 'servers'],
    ['a URL with a query', { servers: ['https://otp.example/verify?id=1'] }, 'servers'],
    ['a URL with an empty query', { servers: ['https://otp.example/verify?'] }, 'servers'],
    ['a URL with an empty fragment', { servers: ['https://otp.example/verify#'] }, 'servers'],
    ['retries with protocol 1.0', { protocol: '1.0', servers: HTTPS, retries: 5 }, 'retries'],
    ['negative retries with protocol 1.0', { protocol: '1.0', servers: HTTPS, retries: -7 }, 'retries'],
    ['a URL with credentials', { servers: ['https://user:secret@otp.example/verify'] }, 'servers'],
    ['a sync level over 100', { syncLevel: 101 }, 'syncLevel'],
    ['an unknown name of a sync level', { syncLevel: 'safe' }, 'syncLevel'],
    ['a sync timeout that is not in whole seconds', { syncTimeout: 1500 }, 'syncTimeout'],
    ['a sync level with protocol 1.0', { protocol: '1.0', servers: HTTPS, syncLevel: 1 }, 'syncLevel'],
    ['a timeout of zero', { timeout: 0 }, 'timeout'],
    ['a timeout as text', { timeout: '10' }, 'timeout'],
    ['eleven retries', { retries: 11 }, 'retries'],
    ['a negative settle time', { settleTime: -1 }, 'settleTime'],
    ['a missing CA file', { ca: '/no/such/file.pem' }, 'no such file'],
    [
      'a CA file without a certificate',
      { ca: new URL('./cloud-settings.test.ts', import.meta.url).pathname },
      'ca',
    ],
    ['an object that is not a dispatcher', { dispatcher: {} }, 'dispatcher'],
  ])('%s', (_name, options, named) => {
    expect(() => construct(options)).toThrow(named);
  });

  it('without repeating a secret in the message', () => {
    const secret = 'c2VjcmV0c2VjcmV0c2VjcmV0';
    expect(() => construct({ apiKey: ` ${secret}` })).toThrow(expect.not.stringContaining(secret) as Error);
    expect(() => construct({ servers: [`https://u:${secret}@otp.example/`] })).toThrow(
      expect.not.stringContaining(secret) as Error,
    );
  });
});

describe('CloudVerifier accepts', () => {
  it.each([
    ['http: with an API key', { servers: HTTP }],
    ['https: without an API key', { apiKey: null, servers: HTTPS }],
    ['http: without an API key on 127.0.0.1', { apiKey: null, servers: ['http://127.0.0.1:8004/'] }],
    ['http: without an API key on [::1]', { apiKey: null, servers: ['http://[::1]:8004/'] }],
    ['http: without an API key on localhost', { apiKey: null, servers: ['http://localhost/'] }],
    [
      'forgeable answers with the option for that',
      { apiKey: null, servers: HTTP, dangerouslyAllowForgeableAnswers: true },
    ],
    ['a number as clientId', { clientId: 87 }],
  ])('%s', (_name, options) => {
    expect(construct(options)).toBeInstanceOf(CloudVerifier);
  });

  it.each(['http://localhost.example/', 'http://127.0.0.1.example/', 'http://127.evil.example/'])(
    'only a real loopback address as one, not %s',
    (server) => {
      expect(() => construct({ apiKey: null, servers: [server] })).toThrow('https:');
    },
  );

  it('its defaults: YubiCloud, ten seconds, three retries, half a second to settle', () => {
    expect(readCloudSettings({ clientId: 87 })).toMatchObject({
      servers: ['https://api.yubico.com/wsapi/2.0/verify'],
      timeout: 10_000,
      attemptTimeout: 2500,
      retries: 3,
      settleTime: 500,
      counters: false,
      protocol: '2.0',
    });
    expect(YUBICLOUD).toHaveLength(1);
    expect(YUBICLOUD_POOL).toHaveLength(5);
  });

  it('a repeated server as one', () => {
    expect(readCloudSettings({ clientId: 87, servers: [...HTTPS, ...HTTPS] }).servers).toEqual(HTTPS);
  });

  it('a CA as PEM text', () => {
    const pem = readFileSync(new URL('../../support/fixtures/tls/ca.pem', import.meta.url), 'utf8');
    expect(readCloudSettings({ clientId: 87, ca: pem }).ca).toBe(pem);
  });
});
