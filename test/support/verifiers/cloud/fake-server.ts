// Loaded in advance, so that loading does not count towards the short deadlines of tests.
import 'undici';
import { createHmac } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** Servers keep real time, also where a test stops the clock of the verifier. */
const { setTimeout: later } = globalThis;

export const API_KEY = 'mG5be6ZJU1qBGz24yPh/ESM3UdU=';
export const CLIENT_ID = '87';

/** How a fake server answers one request. */
export type Behaviour = (query: URLSearchParams, res: ServerResponse, req: IncomingMessage) => unknown;

export interface FakeServer {
  readonly url: string;
  readonly requests: URLSearchParams[];
  readonly sockets: Set<Socket>;
  /** The total number of connections. */
  connections: number;
  /** How many answers it has sent. */
  answered: number;
  close(): Promise<void>;
}

const opened: FakeServer[] = [];

/** A validation server on its own loopback port, which `closeFakeServers` ends. */
export async function startFakeServer(
  behaviour: Behaviour,
  {
    path = '/wsapi/2.0/verify',
    create = createServer as (listener: RequestListener) => Server,
    scheme = 'http',
  } = {},
): Promise<FakeServer> {
  const requests: URLSearchParams[] = [];
  const sockets = new Set<Socket>();
  const server = create((req, res) => {
    const query = new URL(req.url as string, 'http://server').searchParams;
    requests.push(query);
    res.on('finish', () => {
      fake.answered += 1;
    });
    void behaviour(query, res, req);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fake: FakeServer = {
    url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    requests,
    sockets,
    connections: 0,
    answered: 0,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  server.on('connection', (socket) => {
    fake.connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  opened.push(fake);
  return fake;
}

export async function closeFakeServers(): Promise<void> {
  await Promise.all(opened.splice(0).map((server) => server.close()));
}

/** Signs independently of the code under test. */
export function sign(fields: Record<string, string>, apiKey = API_KEY): string {
  const text = Object.keys(fields)
    .sort()
    .map((key) => `${key}=${fields[key]}`)
    .join('&');
  return createHmac('sha1', Buffer.from(apiKey, 'base64')).update(text).digest('base64');
}

export function answerText(fields: Record<string, string>, apiKey: string | undefined = API_KEY): string {
  const all = { h: sign(fields, apiKey), ...fields };
  return `${Object.entries(all)
    .map(([key, value]) => `${key}=${value}\r\n`)
    .join('')}\r\n`;
}

/** The fields of an honest answer with this status. */
export function answerFields(query: URLSearchParams, status: string): Record<string, string> {
  return {
    t: '2026-11-21T23:21:39Z0649',
    otp: query.get('otp') as string,
    nonce: query.get('nonce') as string,
    sl: '100',
    status,
  };
}

export const answer =
  (status: string): Behaviour =>
  (query, res) =>
    void res.end(answerText(answerFields(query, status)));

export const delayed =
  (milliseconds: number, behaviour: Behaviour): Behaviour =>
  (query, res, req) =>
    void later(() => behaviour(query, res, req), milliseconds).unref();

/** One behaviour for each request in turn. The last one applies to all further requests. */
export const inTurn = (...behaviours: Behaviour[]): Behaviour => {
  let at = 0;
  return (query, res, req) => behaviours[Math.min(at++, behaviours.length - 1)]?.(query, res, req);
};

export const hang: Behaviour = () => undefined;
/** Sends blanks one after another. */
export const endless: Behaviour = (_query, res) => {
  res.write(' ');
  const timer = setInterval(() => res.write(' '), 20);
  res.on('close', () => clearInterval(timer));
};
export const breakOff: Behaviour = (_query, res) => void res.socket?.destroy();
export const httpStatus =
  (status: number, body = 'sorry', headers: Record<string, string> = {}): Behaviour =>
  (_query, res) =>
    void res.writeHead(status, headers).end(body);
export const text =
  (body: string | Buffer): Behaviour =>
  (_query, res) =>
    void res.end(body);

/** An address where no server listens, because it was closed again. */
export async function deadServer(): Promise<string> {
  const server = await startFakeServer(hang);
  await server.close();
  return server.url;
}
