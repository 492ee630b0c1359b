import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Listener } from 'passport-yubikey-otp/server';
import { beginToStop } from '../terminal/ending.js';

/** How long new connections may keep the service from closing its port. */
const LAST_CONNECTIONS_MS = 250;
const QUIET_MS = 20;
const SHORT_TURN_MS = 0.25;
/** How long a request on an idle connection is still answered. */
const LAST_REQUESTS_MS = 1_000;
/** The deadline for answers after the signal: longer than a database call may take, less than the ten seconds for the whole stop. */
const LAST_ANSWERS_MS = 7_000;
const INTERVAL_MS = 50;

/** Stops servers without losing a request that they have accepted. */
export class GracefulStop {
  isStopping = false;
  readonly #answering = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();
  readonly #servers: Server[] = [];
  #held: (() => void)[] | undefined;
  #hasAccepted = false;
  readonly #forget = createForget(this.#answering);

  /** Keeps track of a listener's requests. While stopping, each connection is closed after its answer. */
  watch(listener: Listener): Listener {
    return (request, response, next) => {
      this.#answering.add(response);
      response.on('close', this.#forget);
      if (this.isStopping) endConnection(response);
      if (this.#held) this.#held.push(() => listener(request, response, next));
      else listener(request, response, next);
    };
  }

  add(server: Server): void {
    this.#servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.#hasAccepted = true;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Resolves when every request is answered and every connection is closed, or after seven seconds. */
  async stop(): Promise<void> {
    const startedAt = performance.now();
    this.isStopping = true;
    for (const response of this.#answering) endConnection(response);
    let isClosed = false;
    await this.#waitUntilNoneWaits();
    const closed = Promise.all(this.#servers.map(stopAccepting)).then(() => {
      isClosed = true;
    });
    this.#release();
    await Promise.race([closed, unheldSleep(LAST_REQUESTS_MS)]);
    while (!isClosed && performance.now() - startedAt < LAST_ANSWERS_MS) {
      for (const server of this.#servers) server.closeIdleConnections();
      await Promise.race([closed, unheldSleep(INTERVAL_MS)]);
    }
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }

  /**
   * Closing a port resets the connections that wait to be accepted, and loses their requests. So the port is closed in
   * a turn of the event loop that found no connection waiting. Requests are held until then, which keeps turns short.
   */
  async #waitUntilNoneWaits(): Promise<void> {
    this.#held = [];
    const startedAt = performance.now();
    let quietSince = startedAt;
    for (let turnAt = startedAt; ; ) {
      this.#hasAccepted = false;
      await nextTurn();
      const now = performance.now();
      // In a long turn, as on a busy machine, a connection may have arrived after the check.
      const isShort = now - turnAt < SHORT_TURN_MS;
      turnAt = now;
      if (this.#hasAccepted) quietSince = now;
      // A client that waits for its answer sends nothing else. New clients may always arrive.
      const enough = now - startedAt > LAST_CONNECTIONS_MS ? 0 : QUIET_MS;
      const isQuiet = isShort && now - quietSince > enough;
      if (isQuiet || now - startedAt > 2 * LAST_CONNECTIONS_MS) return;
    }
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const work of held) work();
  }
}

const unheldSleep = (milliseconds: number) => sleep(milliseconds, undefined, { ref: false });

/** One listener for all responses; an emitter calls it with the response as `this`. */
function createForget(answering: Set<ServerResponse>) {
  return function (this: ServerResponse): void {
    answering.delete(this);
  };
}

function endConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

/** An HTTP server's own `close` also closes idle connections, although a request may be on its way there. */
function stopAccepting(server: Server): Promise<void> {
  return new Promise((resolve) => {
    NetServer.prototype.close.call(server, () => resolve());
  });
}

/** Resolves with the first signal to stop; from then on the process ends in time. `onSecond` is called for each further signal. */
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
