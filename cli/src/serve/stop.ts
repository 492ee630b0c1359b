import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Listener } from 'passport-yubikey-otp/server';
import { beginToStop } from '../terminal/ending.js';

/** So long new connections may keep the service from closing its port. */
const LAST_CONNECTIONS_MS = 250;
const QUIET_MS = 20;
const SHORT_TURN_MS = 0.25;
/** So long a connection that is idle may still bring a request, which is answered. */
const LAST_REQUESTS_MS = 1_000;
/** So long after the signal an answer may take: longer than a database may, and short of the ten seconds for all. */
const LAST_ANSWERS_MS = 7_000;
const INTERVAL_MS = 50;

/** Ends servers without losing a request that they have taken. */
export class GracefulStop {
  isStopping = false;
  private readonly answering = new Set<ServerResponse>();
  private readonly sockets = new Set<Socket>();
  private readonly servers: Server[] = [];
  private held: (() => void)[] | undefined;
  private hasAccepted = false;
  private readonly forget = forgetIn(this.answering);

  /** Knows of every request of a listener, and ends the connection with its answer while stopping. */
  watch(listener: Listener): Listener {
    return (request, response, next) => {
      this.answering.add(response);
      response.on('close', this.forget);
      if (this.isStopping) endConnection(response);
      if (this.held) this.held.push(() => listener(request, response, next));
      else listener(request, response, next);
    };
  }

  add(server: Server): void {
    this.servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.hasAccepted = true;
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  /** Resolves when every request is answered and every connection closed, or after seven seconds. */
  async stop(): Promise<void> {
    const startedAt = performance.now();
    this.isStopping = true;
    for (const response of this.answering) endConnection(response);
    let isClosed = false;
    await this.untilNoneWaits();
    const closed = Promise.all(this.servers.map(stopAccepting)).then(() => {
      isClosed = true;
    });
    this.release();
    await Promise.race([closed, unheldSleep(LAST_REQUESTS_MS)]);
    while (!isClosed && performance.now() - startedAt < LAST_ANSWERS_MS) {
      for (const server of this.servers) server.closeIdleConnections();
      await Promise.race([closed, unheldSleep(INTERVAL_MS)]);
    }
    for (const socket of this.sockets) socket.destroy();
    for (const server of this.servers) server.close();
  }

  /**
   * Closing a port resets the connections that wait to be accepted, with the requests that they bring. So it is
   * closed in a turn of the event loop that found none waiting; requests are held meanwhile, which keeps turns short.
   */
  private async untilNoneWaits(): Promise<void> {
    this.held = [];
    const startedAt = performance.now();
    let quietSince = startedAt;
    for (let turnAt = startedAt; ; ) {
      this.hasAccepted = false;
      await nextTurn();
      const now = performance.now();
      // In a longer one, as there are on a busy machine, somebody may have come after it had looked.
      const isShort = now - turnAt < SHORT_TURN_MS;
      turnAt = now;
      if (this.hasAccepted) quietSince = now;
      // Who waits for an answer asks nothing else meanwhile. Others may always come.
      const enough = now - startedAt > LAST_CONNECTIONS_MS ? 0 : QUIET_MS;
      const isQuiet = isShort && now - quietSince > enough;
      if (isQuiet || now - startedAt > 2 * LAST_CONNECTIONS_MS) return;
    }
  }

  private release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const work of held) work();
  }
}

const unheldSleep = (milliseconds: number) => sleep(milliseconds, undefined, { ref: false });

/** One for all responses, as an emitter calls it. */
function forgetIn(answering: Set<ServerResponse>) {
  return function (this: ServerResponse): void {
    answering.delete(this);
  };
}

function endConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

/** An HTTP server's own `close` also closes idle connections, on which a request may be under way. */
function stopAccepting(server: Server): Promise<void> {
  return new Promise((resolve) => {
    NetServer.prototype.close.call(server, () => resolve());
  });
}

/** Resolves with the first signal to stop, from which the process ends in time; the second is for who waits no longer. */
export function stopSignal(onSecond: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isFirst = true;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (!isFirst) return onSecond();
        isFirst = false;
        beginToStop();
        resolve(signal);
      });
    }
  });
}
