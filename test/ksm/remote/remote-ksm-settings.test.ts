import { Agent } from 'undici';
import { describe, expect, it } from 'vitest';
import { RemoteKsm, type RemoteKsmOptions } from '../../../src/index.js';
import { readRemoteKsmSettings } from '../../../src/ksm/remote/remote-ksm-settings.js';

const HTTPS = ['https://ksm.example/'];
const endpoint = (protocol: 'rest' | 'wsapi', url: string) =>
  readRemoteKsmSettings({ protocol, urls: [url] }).servers[0]?.endpoint;

describe('the URL of a KSM', () => {
  it.each([
    ['https://ksm.example', 'https://ksm.example/api/v1/decrypt'],
    ['https://ksm.example/', 'https://ksm.example/api/v1/decrypt'],
    ['https://example.com:8443/ksm', 'https://example.com:8443/ksm/api/v1/decrypt'],
    ['https://example.com/ksm/', 'https://example.com/ksm/api/v1/decrypt'],
    ['https://ksm.example/api/v1/decrypt', 'https://ksm.example/api/v1/decrypt'],
    ['http://localhost:8002/', 'http://localhost:8002/api/v1/decrypt'],
  ])('%s is asked at %s (REST)', (url, expected) => {
    expect(endpoint('rest', url)).toBe(expected);
  });

  it.each([
    ['https://ksm.example', 'https://ksm.example/wsapi/decrypt/?otp='],
    ['https://ksm.example/', 'https://ksm.example/wsapi/decrypt/?otp='],
    ['https://example.com/ksm/', 'https://example.com/ksm/wsapi/decrypt/?otp='],
    ['https://ksm.example/wsapi/decrypt', 'https://ksm.example/wsapi/decrypt?otp='],
    ['https://ksm.example/wsapi/decrypt/', 'https://ksm.example/wsapi/decrypt/?otp='],
    ['http://127.0.0.1:8002/wsapi/decrypt/?otp=', 'http://127.0.0.1:8002/wsapi/decrypt/?otp='],
    ['http://[::1]/wsapi/decrypt?otp=', 'http://[::1]/wsapi/decrypt?otp='],
    ['https://ksm.example/yhsm/validate?otp=', 'https://ksm.example/yhsm/validate?otp='],
  ])('%s is asked at %s (wsapi)', (url, expected) => {
    expect(endpoint('wsapi', url)).toBe(expected);
  });

  it('is asked once if it is repeated', () => {
    const urls = ['https://ksm.example', 'https://ksm.example/', 'https://ksm.example/wsapi/decrypt/?otp='];
    expect(readRemoteKsmSettings({ protocol: 'wsapi', urls }).servers).toHaveLength(1);
  });
});

describe('RemoteKsm refuses', () => {
  it.each([
    ['no options', undefined, 'RemoteKsm requires urls'],
    ['no urls', { protocol: 'rest' }, 'RemoteKsm requires urls'],
    ['one URL without an array', { protocol: 'rest', urls: HTTPS[0] }, 'RemoteKsm requires urls'],
    ['no URL', { protocol: 'rest', urls: [] }, 'RemoteKsm requires urls'],
    ['no protocol', { urls: HTTPS }, "'rest' or 'wsapi'"],
    ['another protocol', { urls: HTTPS, protocol: 'REST' }, "'rest' or 'wsapi'"],
    ['text that is not a URL', { protocol: 'rest', urls: ['ksm.example'] }, 'urls takes URLs like'],
    ['a value that is not a string', { protocol: 'rest', urls: [undefined] }, 'urls takes URLs like'],
    ['another scheme', { protocol: 'rest', urls: ['ftp://ksm.example/'] }, 'urls takes URLs like'],
    ['a query', { protocol: 'wsapi', urls: ['https://ksm.example/?a=b&otp='] }, 'urls takes URLs like'],
    ['an empty query', { protocol: 'wsapi', urls: ['https://ksm.example/?'] }, 'urls takes URLs like'],
    [
      'a query with REST',
      { protocol: 'rest', urls: ['https://ksm.example/wsapi/decrypt/?otp='] },
      'api/v1/decrypt',
    ],
    ['a fragment', { protocol: 'rest', urls: ['https://ksm.example/#a'] }, 'urls takes URLs like'],
    ['timeout 0', { protocol: 'rest', urls: HTTPS, timeout: 0 }, 'timeout'],
    ['a timeout that is not a number', { protocol: 'rest', urls: HTTPS, timeout: '5' }, 'timeout'],
    ['a ca that is not a certificate', { protocol: 'rest', urls: HTTPS, ca: '/nowhere.pem' }, 'ca must be'],
    ['an object that is not a dispatcher', { protocol: 'rest', urls: HTTPS, dispatcher: {} }, 'dispatcher'],
    [
      'a ca together with a dispatcher',
      { protocol: 'rest', urls: HTTPS, ca: 'x', dispatcher: new Agent() },
      'ca has no effect',
    ],
  ])('%s', (_, options, message) => {
    expect(() => new RemoteKsm(options as unknown as RemoteKsmOptions)).toThrow(TypeError);
    expect(() => new RemoteKsm(options as unknown as RemoteKsmOptions)).toThrow(message);
  });

  it('credentials in a URL, without repeating them', () => {
    const create = () => new RemoteKsm({ protocol: 'rest', urls: ['https://user:hunter2@ksm.example/'] });
    expect(create).toThrow('without credentials');
    expect(create).not.toThrow('hunter2');
  });

  it.each(['http://ksm.example/', 'http://10.0.0.1/', 'http://127.0.0.1.ksm.example/', 'http://0.0.0.0/'])(
    '%s, whose answers anybody could forge, unless that is allowed',
    (url) => {
      for (const protocol of ['rest', 'wsapi'] as const) {
        expect(() => new RemoteKsm({ protocol, urls: [...HTTPS, url] })).toThrow('forge');
        const dangerouslyAllowForgeableAnswers = true;
        expect(new RemoteKsm({ protocol, urls: [url], dangerouslyAllowForgeableAnswers })).toBeDefined();
        for (const almost of ['true', 1, undefined]) {
          const options = { protocol, urls: [url], dangerouslyAllowForgeableAnswers: almost as never };
          expect(() => new RemoteKsm(options)).toThrow('forge');
        }
      }
    },
  );
});
