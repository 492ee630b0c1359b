import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hmacSha1 } from '../../src/protocol/hmac.js';
import { anyText } from '../arbitraries.js';

const ofNode = (key: Uint8Array, message: string) => createHmac('sha1', key).update(message).digest('base64');

describe('hmacSha1', () => {
  it.each([
    ['0b'.repeat(20), 'Hi There', 'b617318655057264e28bc0b6fb378c8ef146be00'],
    ['4a656665', 'what do ya want for nothing?', 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'],
    [
      'aa'.repeat(80),
      'Test Using Larger Than Block-Size Key - Hash Key First',
      'aa4ae5e15272d00e95705637ce8a3b55ed402112',
    ],
  ])('gives what RFC 2202 publishes', (key, message, digest) => {
    const expected = Buffer.from(digest, 'hex').toString('base64');
    expect(hmacSha1(Buffer.from(key, 'hex'), message)).toBe(expected);
  });

  it('gives what createHmac gives, for every key and message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), anyText, (key, message) => {
        expect(hmacSha1(key, message)).toBe(ofNode(key, message));
      }),
    );
  });

  it.each([0, 1, 63, 64, 65, 128])('takes a key of %d bytes', (length) => {
    const key = new Uint8Array(length).fill(7);
    expect(hmacSha1(key, 'a message')).toBe(ofNode(key, 'a message'));
  });
});
