import { describe, expect, it } from 'vitest';
import { isLoopback } from '../../src/http/loopback.js';

describe('isLoopback', () => {
  it.each([
    'localhost',
    'LOCALHOST',
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '0:0:0:0:0:0:0:1',
    '[::1]',
    '::ffff:127.0.0.1',
    '::FFFF:127.0.0.1',
    '[::ffff:7f00:1]',
  ])('knows %s', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each([
    undefined,
    '',
    '0.0.0.0',
    '::',
    '[::]',
    '128.0.0.1',
    '126.255.255.255',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '2130706433',
    '127.1',
    '0177.0.0.1',
    '127.0.0.1.example',
    '127.0.0.1:80',
    '[127.0.0.1]',
    '[localhost]',
    '[::1',
    '::1]',
    ' ::1',
    'localhost.',
    'localhost.example',
    'example.localhost',
    'localhost\n',
  ])('refuses %j', (host) => {
    expect(isLoopback(host)).toBe(false);
  });

  it('knows the host of every URL of this machine', () => {
    const urls = [
      'http://LOCALHOST:1/',
      'http://127.1/',
      'http://0x7f.1/',
      'http://[0::1]/',
      'http://[::ffff:127.0.0.1]/',
    ];
    expect(urls.map((url) => isLoopback(new URL(url).hostname))).not.toContain(false);
  });
});
