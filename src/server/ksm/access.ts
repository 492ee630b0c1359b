import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { isLoopback } from '../../http/http-settings.js';
import { HttpFault } from '../http-fault.js';

/** What a header can hold: a token that was read from a file together with its line break would let nobody in. */
const TOKEN = /^[!-~]{16,}$/;

export interface ManagementAccess {
  /**
   * Bearer token of those who may add, list and delete keys: 16 characters or more, of ASCII without blanks.
   * Default: nobody may.
   */
  managementToken?: string | undefined;
  /**
   * Lets everybody on this machine manage keys: requests over loopback that name a loopback host and were not
   * forwarded by a proxy. Default false.
   */
  dangerouslyManageKeysWithoutToken?: boolean | undefined;
}

/** Throws what a request is answered that may not do what it asks for. */
export type Gate = (request: IncomingMessage) => void;

/** @throws TypeError for a token that is too short, or that no header can hold. */
export function managementGate(options: ManagementAccess): Gate {
  const { managementToken, dangerouslyManageKeysWithoutToken = false } = options;
  if (managementToken !== undefined) return tokenGate(managementToken);
  if (dangerouslyManageKeysWithoutToken) return localGate;
  return () => {
    throw unauthorized('Keys cannot be managed over HTTP here: this KSM has no management token');
  };
}

/** @throws TypeError for what is neither an address nor a range of addresses. */
export function addressGate(
  allowed: readonly string[] | undefined,
  addressOf: (request: IncomingMessage) => string | undefined,
): Gate {
  if (allowed === undefined) return () => undefined;
  const list = parseAllowedRanges(allowed);
  return (request) => {
    const address = addressOf(request) ?? '';
    const family = isIP(address);
    if (family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')) return;
    throw new HttpFault(403, 'This address may not decrypt OTPs here');
  };
}

function tokenGate(token: string): Gate {
  if (typeof token !== 'string' || !TOKEN.test(token)) {
    throw new TypeError(
      'managementToken must be text of 16 characters or more, of ASCII without blanks or line breaks',
    );
  }
  const expected = digest(token);
  return ({ headers }) => {
    const given = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    // Digests have one length, whatever is given.
    if (given === undefined || !timingSafeEqual(digest(given), expected)) {
      throw unauthorized('Managing keys needs the management token: Authorization: Bearer TOKEN');
    }
  };
}

const FORWARDED = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/** A page in a browser of this machine sends its own host's name, also where that resolves to this machine. */
const localGate: Gate = ({ headers, socket }) => {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const isLocal = address === '::1' || isLoopback(address);
  const host = (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (isLocal && isLoopback(host) && !FORWARDED.some((name) => name in headers)) return;
  throw new HttpFault(403, 'Without a management token, keys are managed from this machine alone');
};

function parseAllowedRanges(allowed: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of allowed) {
    const [address = '', prefix, ...more] = String(range).split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
    const isRange = /^\d{1,3}$/.test(prefix ?? '0') && bits <= (family === 6 ? 128 : 32);
    if (family === 0 || !isRange || more.length > 0) {
      throw new TypeError(`allowDecryptFrom takes addresses and ranges, such as 10.0.0.0/8, not ${range}`);
    }
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

function unauthorized(message: string): HttpFault {
  return new HttpFault(401, message, { 'WWW-Authenticate': 'Bearer' });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
