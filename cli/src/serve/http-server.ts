import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Listener, sendAnswer } from 'passport-yubikey-otp/server';
import { SetupError } from '../terminal/failure.js';
import type { Certificate } from './tls.js';

/** The longest honest URL has some 400 characters. */
const MAX_URL_LENGTH = 8 * 1024;

/**
 * Connections that send nothing, or too slowly, are closed after five seconds, idle ones after 65: longer than
 * the 60 seconds after which most proxies close theirs, so that none sends a request into a closing connection.
 */
const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1_000,
};
const HANDSHAKE_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 16_000;
const MAX_HEADERS = 100;
/** Connections that may wait to be accepted; the system may allow fewer. */
const BACKLOG = 4096;
const MAKE_ROOM_INTERVAL_MS = 1_000;

/** An HTTP server with limits, over TLS where there is a certificate. */
export function createHttpServer(listener: Listener, certificate: Certificate | undefined): Server {
  const limited: Listener = (request, response) => {
    if ((request.url ?? '').length > MAX_URL_LENGTH) {
      const body = `The URL is longer than ${MAX_URL_LENGTH} characters\n`;
      return sendAnswer(response, { status: 414, body });
    }
    listener(request, response, () => sendAnswer(response, { status: 404, body: 'Not found\n' }));
  };
  const server = certificate
    ? createTlsServer({ ...LIMITS, ...certificate, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, limited)
    : createServer(LIMITS, limited);
  server.maxConnections = MAX_CONNECTIONS;
  server.maxHeadersCount = MAX_HEADERS;
  let madeRoomAt = 0;
  server.on('drop', () => {
    if (Date.now() - madeRoomAt < MAKE_ROOM_INTERVAL_MS) return;
    madeRoomAt = Date.now();
    server.closeIdleConnections();
  });
  return server;
}

/**
 * Starts listening.
 *
 * @returns The server's URL.
 * @throws SetupError if the address cannot be used.
 */
export async function listen(
  server: Server,
  { host, port }: Place,
  certificate: Certificate | undefined,
): Promise<string> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: BACKLOG }, resolve);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const problem = code === 'EADDRINUSE' ? 'another program listens there already' : code;
    throw new SetupError(
      `Cannot listen on ${host} port ${port}: ${problem}. Choose another address or port (see --help)`,
    );
  }
  const { address, family, port: found } = server.address() as AddressInfo;
  return `${certificate ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${found}`;
}

/** Where a server listens. */
export interface Place {
  readonly host: string;
  readonly port: number;
}
