import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { AddressOf } from 'passport-yubikey-otp/server';
import proxyAddr from 'proxy-addr';

/**
 * Makes the function that finds the address of a request: the last address in `X-Forwarded-For` that is not a trusted
 * proxy, where the connection comes from a trusted proxy; otherwise the address of the connection.
 */
export function createAddressReader(trustedProxies: readonly string[] | undefined): AddressOf {
  if (trustedProxies === undefined) return ({ socket }) => unmapped(socket.remoteAddress);
  const isTrusted = proxyAddr.compile([...trustedProxies]);
  return (request) => {
    const address = proxyAddr(request, isTrusted);
    // A client can write any text into this header.
    return unmapped(isIP(address) ? address : request.socket.remoteAddress);
  };
}

/** The network of one subscriber: an IPv4 address, or the first 64 bits of an IPv6 address. */
export function toNetwork(address: string): string {
  if (!address.includes(':') || isIP(address) !== 6) return address;
  const { parts } = ipaddr.IPv6.parse(address.replace(/%.*$/, ''));
  return parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':');
}

/** Writes an IPv4 address as IPv4, even if an IPv6 socket accepted the connection. */
function unmapped(address: string | undefined): string | undefined {
  return address?.startsWith('::') ? address.replace(/^::ffff:(?=\d+\.)/i, '') : address;
}
