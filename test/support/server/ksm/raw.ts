import { connect, type Socket } from 'node:net';

export interface Exchange {
  socket: Socket;
  /** The whole answer, once the server has closed the connection. */
  answer: Promise<string>;
}

/** Sends raw text to a server and keeps the connection open. */
export function exchange(url: string, text: string | Buffer): Exchange {
  const { port } = new URL(url);
  const socket = connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: false });
  const chunks: Buffer[] = [];
  const answer = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => chunks.push(chunk));
    // A connection reset ends the answer too.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
  socket.write(text);
  return { socket, answer };
}

/** Formats a request from the lines of its head and its body. */
export const formatRequest = (lines: readonly string[], body: string | Buffer = '') =>
  Buffer.concat([Buffer.from(`${[...lines, '', ''].join('\r\n')}`), Buffer.from(body)]);
