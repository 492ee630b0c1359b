import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../http/loopback.js';

/**
 * Whether a request comes from this machine: its connection has a loopback address, and no proxy on this machine passed
 * it on for somebody else.
 *
 * Only the names of headers count, not their values, which may be empty. A request was forwarded if it has
 * - a header that says so: `Via` (RFC 9110, 7.6.3), `CDN-Loop` (RFC 8586), and every name with the word `Forwarded`, such as
 *   `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Host`, `-Proto`, `-Port` and `-Server`;
 * - a header that tells the address of a client: every name that ends with the word `IP` or `Address`, such as `X-Real-IP`,
 *   `X-Client-IP`, `True-Client-IP` and `CF-Connecting-IP`;
 * - more than 32 headers, of which Node.js may not have kept the last ones.
 *
 * A program on this machine has no reason to send any of that. A proxy that adds none cannot be told from such a program,
 * so let it pass on only what is for everybody.
 */
export function isLocalRequest(request: IncomingMessage): boolean {
  return isLoopback(request.socket.remoteAddress) && !isForwarded(request);
}

const SAYS_SO = /^(via|cdn-loop)$|(^|-)forwarded(-|$)/;
const TELLS_AN_ADDRESS = /(^|-)((client|remote|socket)?ip(v[46])?|addr(ess)?)$/;
/** Of more headers, Node.js may leave out the last ones, which are those of a proxy. Browsers send about 20. */
const MAX_HEADERS = 32;

function isForwarded({ headers, rawHeaders }: IncomingMessage): boolean {
  if (rawHeaders.length > 2 * MAX_HEADERS) return true;
  return [...Object.keys(headers), ...rawHeaders.filter((_, at) => at % 2 === 0)]
    .map((name) => name.toLowerCase().replaceAll('_', '-'))
    .some((name) => SAYS_SO.test(name) || TELLS_AN_ADDRESS.test(name));
}
