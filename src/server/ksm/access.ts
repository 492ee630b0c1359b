import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { isLoopback } from '../../http/loopback.js';
import type { AddressOf } from '../http.js';
import { HttpFault } from '../http-fault.js';
import { isLocalRequest } from '../local-request.js';
import { isManagementToken } from '../management-token.js';

export interface ManagementAccess {
  /**
   * Bearer token that authorises adding, listing and deleting keys: at least 16 ASCII characters, without spaces.
   * Default: keys cannot be managed over HTTP.
   */
  managementToken?: string | undefined;
  /**
   * Lets every user of this machine manage keys: requests over loopback that name a loopback host and were not
   * forwarded by a proxy. Default false.
   */
  dangerouslyManageKeysWithoutToken?: boolean | undefined;
}

/** Throws an HttpFault for a request that is not authorised. */
export type Gate = (request: IncomingMessage) => void;

/** @throws TypeError for a token that is too short or that a header cannot contain. */
export function managementGate(options: ManagementAccess): Gate {
  const { managementToken, dangerouslyManageKeysWithoutToken = false } = options;
  if (managementToken !== undefined) return tokenGate(managementToken);
  if (dangerouslyManageKeysWithoutToken) return localGate;
  return () => {
    throw unauthorized('Keys cannot be managed over HTTP here: this KSM has no management token');
  };
}

/** @throws TypeError for an entry that is neither an address nor a range of addresses. */
export function addressGate(allowed: readonly string[] | undefined, addressOf: AddressOf): Gate {
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
  if (!isManagementToken(token)) {
    throw new TypeError(
      'managementToken must be a string of at least 16 ASCII characters, without spaces or line breaks',
    );
  }
  const expected = digest(token);
  return ({ headers }) => {
    const given = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    // timingSafeEqual needs equal lengths, which digests have.
    if (given === undefined || !timingSafeEqual(digest(given), expected)) {
      throw unauthorized('Managing keys needs the management token: Authorization: Bearer TOKEN');
    }
  };
}

/** Checks Host too: a web page whose host name resolves to this machine sends that name (DNS rebinding). */
const localGate: Gate = (request) => {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (isLocalRequest(request) && isLoopback(host)) return;
  throw new HttpFault(403, 'Without a management token, keys can be managed from this machine only');
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
