import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RoundRobin {
  url: string;
  close(): Promise<void>;
}

/** A small proxy: each request goes to the next port, or to the one after it if that does not respond. */
export async function startRoundRobin(ports: readonly number[]): Promise<RoundRobin> {
  let turn = 0;
  const passOn = async (req: IncomingMessage, res: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    turn += 1;
    const order = ports.map((_, index) => ports[(turn + index) % ports.length] as number);
    for (const port of order) {
      if (await forward(req, body, port, res)) return;
    }
    res.writeHead(502).end();
  };
  const server = createServer((req, res) => void passOn(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(
  { method, url, headers }: IncomingMessage,
  body: Buffer,
  port: number,
  res: ServerResponse,
): Promise<boolean> {
  return new Promise((resolve) => {
    // A new connection for each request: a kept-alive one fails only after the request is sent.
    const options = { host: '127.0.0.1', port, path: url, method, headers, agent: false };
    const upstream = request(options, (response) => {
      res.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(res);
      response.once('end', () => resolve(true));
    });
    upstream.once('error', () => resolve(false));
    upstream.end(body);
  });
}
