import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createAddressReader } from '../../src/serve/addresses.js';

const request = (remoteAddress: string, forwarded?: string) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

describe('the address of a request', () => {
  it('is the address of the connection, whatever the headers say', () => {
    const addressOf = createAddressReader(undefined);
    expect(addressOf(request('192.0.2.1', '198.51.100.1'))).toBe('192.0.2.1');
    expect(addressOf(request('::ffff:192.0.2.1'))).toBe('192.0.2.1');
    expect(addressOf(request('2001:db8::1'))).toBe('2001:db8::1');
  });

  it('is the one that a trusted proxy adds, not one that a client sent to the proxy', () => {
    const addressOf = createAddressReader(['10.0.0.0/8', 'loopback']);
    expect(addressOf(request('10.0.0.1', '198.51.100.1'))).toBe('198.51.100.1');
    expect(addressOf(request('::ffff:10.0.0.1', '198.51.100.1'))).toBe('198.51.100.1');
    expect(addressOf(request('127.0.0.1', '203.0.113.9, 198.51.100.1, 10.0.0.2'))).toBe('198.51.100.1');
    expect(addressOf(request('192.0.2.1', '198.51.100.1'))).toBe('192.0.2.1');
  });

  it.each(['unknown', '"; DROP', 'a'.repeat(5000), ''])(
    'is that of the proxy where it forwards %j',
    (forwarded) => {
      expect(createAddressReader(['10.0.0.1'])(request('10.0.0.1', forwarded))).toBe('10.0.0.1');
    },
  );
});
