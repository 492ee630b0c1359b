import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Listener } from 'passport-yubikey-otp/server';

/** So long a connection that is idle may still bring a request, which is answered. */
const LAST_REQUESTS_MS = 1_000;
/** So long an answer may take. */
const LAST_ANSWERS_MS = 10_000;
const INTERVAL_MS = 50;

/** Ends servers without losing a request that they have taken. */
export class GracefulStop {
  isStopping = false;
  private readonly answering = new Set<ServerResponse>();
  private readonly sockets = new Set<Socket>();
  private readonly servers: Server[] = [];

  /** Knows of every request of a listener, and ends the connection with its answer while stopping. */
  watch(listener: Listener): Listener {
    return (request, response, next) => {
      this.answering.add(response);
      response.once('close', () => this.answering.delete(response));
      if (this.isStopping) endConnection(response);
      listener(request, response, next);
    };
  }

  add(server: Server): void {
    this.servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  /** Resolves when every request is answered and every connection closed, or after some ten seconds. */
  async stop(): Promise<void> {
    this.isStopping = true;
    for (const response of this.answering) endConnection(response);
    // Connections that wait to be accepted are, in this turn of the event loop.
    await nextTurn();
    let isClosed = false;
    const closed = Promise.all(this.servers.map(stopAccepting)).then(() => {
      isClosed = true;
    });
    await Promise.race([closed, unheldSleep(LAST_REQUESTS_MS)]);
    for (let waited = 0; !isClosed && waited < LAST_ANSWERS_MS; waited += INTERVAL_MS) {
      for (const server of this.servers) server.closeIdleConnections();
      await Promise.race([closed, unheldSleep(INTERVAL_MS)]);
    }
    for (const socket of this.sockets) socket.destroy();
    for (const server of this.servers) server.close();
  }
}

const unheldSleep = (milliseconds: number) => sleep(milliseconds, undefined, { ref: false });

function endConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

/** An HTTP server's own `close` also closes idle connections, on which a request may be under way. */
function stopAccepting(server: Server): Promise<void> {
  return new Promise((resolve) => {
    NetServer.prototype.close.call(server, () => resolve());
  });
}

/** Resolves with the first signal to stop; the second one ends the process at once. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isFirst = true;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (!isFirst) process.exit(1);
        isFirst = false;
        resolve(signal);
      });
    }
  });
}
