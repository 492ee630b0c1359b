import type { Socket } from 'node:net';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { Exchange, type HttpAnswer, type HttpOutcome } from './exchange.js';

const KEEP_ALIVE_MS = 30_000;

export interface TransportSettings {
  /** PEM text of the certificates to trust instead of the system's. */
  readonly ca: string | undefined;
  /** Takes the place of connections of its own. */
  readonly dispatcher: Dispatcher | undefined;
  /** Milliseconds. */
  readonly connectTimeout: number;
  /** Makes a connection for each request. */
  readonly freshConnections: boolean;
}

export interface HttpRequest {
  readonly url: string;
  /** The media type of the answer. */
  readonly accept: string;
  /** JSON; with it the request is a POST. */
  readonly json?: string | undefined;
  /** The HTTP statuses whose answers are read; any other is a fault. Default 200 alone. */
  readonly statuses?: readonly number[] | undefined;
}

interface LoadedDispatcher {
  readonly dispatcher: Dispatcher;
  /** To be closed. */
  readonly ownAgent: Agent | undefined;
}

/** Sends requests, over connections that are kept warm. */
export class Transport {
  readonly #loaded: Promise<LoadedDispatcher>;
  readonly #connecting = new Set<Socket>();
  readonly #freshConnections: boolean;

  constructor(settings: TransportSettings) {
    this.#freshConnections = settings.freshConnections;
    this.#loaded = this.#loadDispatcher(settings);
    // Whoever sends is told.
    this.#loaded.catch(() => undefined);
  }

  /** undici takes longer to load than all the rest, so who asks no server does not wait for it. */
  async #loadDispatcher({ dispatcher, ca, connectTimeout }: TransportSettings): Promise<LoadedDispatcher> {
    if (dispatcher) return { dispatcher, ownAgent: undefined };
    const { Agent, buildConnector } = await import('undici');
    const connect = buildConnector({ timeout: connectTimeout, ca });
    const ownAgent = new Agent({
      connect: this.#watched(connect),
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return { dispatcher: ownAgent, ownAgent };
  }

  /** Sends a request and tells what became of it; never at once. Redirects are not followed. */
  start(request: HttpRequest, done: (outcome: HttpOutcome) => void): Exchange {
    const exchange = new Exchange(request.statuses ?? [200], done);
    this.#loaded
      .then(({ dispatcher }) => this.#dispatch(dispatcher, request, exchange))
      .catch((error: unknown) => exchange.fail(error));
    return exchange;
  }

  /** @throws TransportFault, or whatever undici throws; the signal's reason as soon as it is aborted. */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const exchange = this.start(request, (outcome) => {
        if ('answer' in outcome) resolve(outcome.answer);
        else reject(outcome.error);
      });
      const abort = () => {
        exchange.abort();
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
    });
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

  /** Gives up the connections that are still being made; undici would go on with them, for nobody. */
  dropConnecting(): void {
    for (const socket of this.#connecting)
      socket.destroy(new Error('Nobody waits for this connection any more'));
  }

  /** Closes every connection at once, except those of a dispatcher that was given. */
  async close(): Promise<void> {
    this.dropConnecting();
    const { ownAgent } = await this.#loaded;
    await ownAgent?.destroy();
  }

  /** undici's connector, keeping track of the sockets that still connect. */
  #watched(connect: buildConnector.connector): buildConnector.connector {
    return (options, callback) => {
      // It returns the socket while that still connects, which its types do not say.
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
 * Lets the process exit although requests are still on their way: whoever waits for one holds a timer. undici would
 * ref the socket with every request, and each address that is tried has a handle of its own.
 */
function neverRef(socket: Socket): void {
  socket.ref = () => socket;
  socket.unref();
  socket.on('connectionAttempt', () => socket.unref());
}
