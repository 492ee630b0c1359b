import type { Socket } from 'node:net';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { Exchange, type HttpOutcome } from './exchange.js';

const KEEP_ALIVE_MS = 30_000;

export interface TransportSettings {
  /** PEM text of the certificates to trust instead of the system's. */
  readonly ca: string | undefined;
  /** Sends the requests, instead of an agent of this transport's own. */
  readonly dispatcher: Dispatcher | undefined;
  /** Milliseconds. */
  readonly connectTimeout: number;
  /** Opens a new connection for each request. */
  readonly freshConnections: boolean;
}

export interface HttpRequest {
  readonly url: string;
  /** The media type of the answer. */
  readonly accept: string;
  /** A JSON body, which makes the request a POST. */
  readonly json?: string | undefined;
  /** The HTTP statuses whose answers are read. Any other is a fault. Default: only 200. */
  readonly statuses?: readonly number[] | undefined;
}

interface LoadedDispatcher {
  readonly dispatcher: Dispatcher;
  /** The agent to close; undefined for a dispatcher that was given. */
  readonly ownAgent: Agent | undefined;
}

/** Sends HTTP requests over connections that stay open. */
export class Transport {
  readonly #loaded: Promise<LoadedDispatcher>;
  readonly #connecting = new Set<Socket>();
  readonly #freshConnections: boolean;

  constructor(settings: TransportSettings) {
    this.#freshConnections = settings.freshConnections;
    this.#loaded = this.#loadDispatcher(settings);
    // A rejection is reported by `start`.
    this.#loaded.catch(() => undefined);
  }

  /** undici is imported here because loading it is slow: programs that ask no server do not load it. */
  async #loadDispatcher({ dispatcher, ca, connectTimeout }: TransportSettings): Promise<LoadedDispatcher> {
    if (dispatcher) return { dispatcher, ownAgent: undefined };
    const { Agent, buildConnector } = await import('undici');
    const connect = buildConnector({ timeout: connectTimeout, ca });
    const ownAgent = new Agent({
      connect: this.#trackConnecting(connect),
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return { dispatcher: ownAgent, ownAgent };
  }

  /** Sends a request and calls `done` with the result, always asynchronously. Redirects are not followed. */
  start(request: HttpRequest, done: (outcome: HttpOutcome) => void): Exchange {
    const exchange = new Exchange(request.statuses ?? [200], done);
    this.#loaded
      .then(({ dispatcher }) => this.#dispatch(dispatcher, request, exchange))
      .catch((error: unknown) => exchange.fail(error));
    return exchange;
  }

  #dispatch(dispatcher: Dispatcher, { url, accept, json }: HttpRequest, exchange: Exchange): void {
    if (exchange.isOver) return;
    const { origin, pathname, search } = new URL(url);
    const headers = { accept, 'user-agent': 'passport-yubikey-otp' };
    dispatcher.dispatch(
      {
        origin,
        path: pathname + search,
        reset: this.#freshConnections,
        headersTimeout: 0,
        bodyTimeout: 0,
        ...(json === undefined
          ? { method: 'GET', headers }
          : { method: 'POST', body: json, headers: { ...headers, 'content-type': 'application/json' } }),
      },
      exchange,
    );
  }

  /** Destroys connections that are still being established, which undici would otherwise complete. */
  dropConnecting(): void {
    for (const socket of this.#connecting) socket.destroy(new Error('This connection is no longer needed'));
  }

  /** Closes every connection immediately, except those of a dispatcher that was given. */
  async close(): Promise<void> {
    this.dropConnecting();
    const { ownAgent } = await this.#loaded;
    await ownAgent?.destroy();
  }

  /** Wraps undici's connector to track the sockets that are still connecting. */
  #trackConnecting(connect: buildConnector.connector): buildConnector.connector {
    return (options, callback) => {
      // It returns the connecting socket, which its types do not declare.
      const socket = connect(options, (...result) => {
        this.#connecting.delete(socket);
        callback(...result);
      }) as unknown as Socket;
      this.#connecting.add(socket);
      socket.once('close', () => this.#connecting.delete(socket));
      neverRef(socket);
    };
  }
}

/**
 * Lets the process exit while requests are pending: callers that wait for one hold a timer. undici refs the socket
 * with every request, and each address that is tried has its own handle.
 */
function neverRef(socket: Socket): void {
  socket.ref = () => socket;
  socket.unref();
  socket.on('connectionAttempt', () => socket.unref());
}
