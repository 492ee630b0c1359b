import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { AddressOf } from 'passport-yubikey-otp/server';
import proxyAddr from 'proxy-addr';

/** Whether only programs of this machine reach what listens on this address. */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopback(host);
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string | undefined): boolean {
  return isIP(address ?? '') !== 0 && ipaddr.process(address as string).range() === 'loopback';
}

/**
 * Finds the address that a request comes from: the last one in `X-Forwarded-For` that is no trusted proxy's, where
 * the connection is from a trusted proxy, and that of the connection otherwise.
 */
export function addressOfWith(trustedProxies: readonly string[] | undefined): AddressOf {
  if (trustedProxies === undefined) return ({ socket }) => plain(socket.remoteAddress);
  const isTrusted = proxyAddr.compile([...trustedProxies]);
  return (request) => {
    const address = proxyAddr(request, isTrusted);
    // What a client wrote there itself may be anything.
    return plain(isIP(address) ? address : request.socket.remoteAddress);
  };
}

/** Whether a proxy says that it passes on a request of somebody else. */
export function isForwarded({ headers }: IncomingMessage): boolean {
  return headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
}

/** What one subscriber has: an IPv4 address, or an IPv6 network of 64 bits. */
export function networkOf(address: string): string {
  if (!address.includes(':') || isIP(address) !== 6) return address;
  const { parts } = ipaddr.IPv6.parse(address.replace(/%.*$/, ''));
  return parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':');
}

/** IPv4 addresses as such, also where an IPv6 socket took the connection. */
function plain(address: string | undefined): string | undefined {
  return address?.startsWith('::') ? address.replace(/^::ffff:(?=\d+\.)/i, '') : address;
}
