import type { Socket } from 'node:net';
import type { Agent, buildConnector, Dispatcher, request } from 'undici';
import { MAX_RESPONSE_LENGTH } from '../protocol/validation-response.js';
import { faultOfHttpStatus, TransportFault } from './fault.js';

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
  readonly json?: string;
  /** The HTTP statuses whose answers are read; any other is a fault. Default 200 alone. */
  readonly statuses?: readonly number[];
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

interface Opened {
  readonly request: typeof request;
  readonly dispatcher: Dispatcher;
  /** To be closed. */
  readonly ownAgent: Agent | undefined;
}

/** Sends requests, over connections that are kept warm. */
export class Transport {
  private readonly opened: Promise<Opened>;
  private readonly sockets = new Set<Socket>();
  private readonly connecting = new Set<Socket>();
  private readonly freshConnections: boolean;

  constructor(settings: TransportSettings) {
    this.freshConnections = settings.freshConnections;
    this.opened = this.open(settings);
    // Whoever sends is told.
    this.opened.catch(() => undefined);
  }

  /** undici takes longer to load than all the rest, so who asks no server does not wait for it. */
  private async open({ dispatcher, ca, connectTimeout }: TransportSettings): Promise<Opened> {
    const { Agent, buildConnector, request } = await import('undici');
    if (dispatcher) return { request, dispatcher, ownAgent: undefined };
    const connect = buildConnector({ timeout: connectTimeout, ...(ca === undefined ? {} : { ca }) });
    const ownAgent = new Agent({
      connect: this.watched(connect),
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return { request, dispatcher: ownAgent, ownAgent };
  }

  /**
   * Sends a request and reads the answer, 8 KiB of UTF-8 at most. Redirects are not followed.
   *
   * @throws TransportFault, or whatever undici throws; the signal's reason as soon as it is aborted.
   */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    // undici itself looks at the signal of a request only once that has a connection.
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    return Promise.race([this.exchange(request, signal), aborted]);
  }

  private async exchange(
    { url, accept, json, statuses = [200] }: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const headers = { accept, 'user-agent': 'passport-yubikey-otp' };
    const { request, dispatcher } = await this.opened;
    const { statusCode, body } = await request(url, {
      dispatcher,
      signal,
      reset: this.freshConnections,
      headersTimeout: 0,
      bodyTimeout: 0,
      ...(json === undefined
        ? { headers }
        : { method: 'POST', body: json, headers: { ...headers, 'content-type': 'application/json' } }),
    });
    if (statuses.includes(statusCode)) return { status: statusCode, text: await readText(body) };
    body.on('error', () => undefined).destroy();
    throw faultOfHttpStatus(statusCode);
  }

  /**
   * Lets the process exit although requests are still on their way. Safe at any time: whoever waits for one
   * holds a timer of its own.
   */
  unref(): void {
    // A destroyed one would wait for a new connection to tell that to, with one more listener each time.
    for (const socket of this.sockets) if (!socket.destroyed) socket.unref();
  }

  /** Gives up the connections that are still being made; undici would go on with them, for nobody. */
  dropConnecting(): void {
    for (const socket of this.connecting)
      socket.destroy(new Error('Nobody waits for this connection any more'));
  }

  /** Closes every connection at once, except those of a dispatcher that was given. */
  async close(): Promise<void> {
    this.dropConnecting();
    const { ownAgent } = await this.opened;
    await ownAgent?.destroy();
  }

  /** undici's connector, keeping track of the sockets it makes. */
  private watched(connect: buildConnector.connector): buildConnector.connector {
    return (options, callback) => {
      // It returns the socket while that still connects, which its types do not say.
      const socket = connect(options, (...result) => {
        this.connecting.delete(socket);
        callback(...result);
      }) as unknown as Socket;
      this.sockets.add(socket);
      this.connecting.add(socket);
      socket.once('close', () => {
        this.sockets.delete(socket);
        this.connecting.delete(socket);
      });
    };
  }
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_RESPONSE_LENGTH) throw malformed('the answer is longer than 8 KiB');
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw malformed('the answer is not UTF-8');
  }
}

function malformed(message: string): TransportFault {
  return new TransportFault('ANSWER_MALFORMED', message, false, true);
}
