import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Whether a host name or an IP address means this machine: `localhost`, `127.0.0.0/8` and `::1`, in any spelling, with
 * or without the brackets of a URL, and an IPv4 address also as IPv6 (`::ffff:127.0.0.1`). Looks nothing up: other names
 * are not loopback, even if they resolve to this machine, and neither are `0.0.0.0` and `::`, on which a server listens to
 * everybody.
 */
export function isLoopback(host: string | undefined): boolean {
  if (host?.toLowerCase() === 'localhost') return true;
  const address = host?.replace(/^\[(.*:.*)\]$/, '$1') ?? '';
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
