import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';

export interface HttpAnswer {
  status: number;
  body: string;
}

/** A request that was not answered to its end. */
export class Unanswered extends Error {
  constructor(
    readonly code: string,
    /** Whether its connection had carried another request before: the server may have closed it since. */
    readonly isReused: boolean,
    /** Whether a part of the answer came. */
    readonly hasBegun: boolean,
  ) {
    super(`${code}${isReused ? ' on a connection used before' : ''}${hasBegun ? ', half way' : ''}`);
  }
}

export interface HttpClientOptions {
  /** How many connections to one server there are at once. */
  sockets: number;
  keepAlive?: boolean;
  /** The address that it sends from. */
  from?: string;
}

const TIMEOUT_MS = 30_000;

/** An HTTP client that tries nothing twice, so that each loss shows. */
export class HttpClient {
  private readonly agent: Agent;

  constructor({ sockets, keepAlive = true, from }: HttpClientOptions) {
    this.agent = new Agent({ keepAlive, maxSockets: sockets, ...(from && { localAddress: from }) });
  }

  /** @throws Unanswered */
  send(url: string, options: RequestOptions = {}, body?: string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      let answer: IncomingMessage | undefined;
      const sent = request(url, { agent: this.agent, timeout: TIMEOUT_MS, ...options }, (response) => {
        answer = response;
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('error', fail);
        response.on('end', () => resolve({ status: response.statusCode as number, body: text }));
      });
      function fail(error: NodeJS.ErrnoException): void {
        reject(new Unanswered(error.code ?? error.message, sent.reusedSocket, answer !== undefined));
      }
      sent.on('timeout', () => sent.destroy(Object.assign(new Error(), { code: 'TIMED_OUT' })));
      sent.on('error', fail).end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
