import { createHmac } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A validation server that `servers.ts` starts as a process. It sends its port to its parent and ends with it. */
const [kind = '', apiKeyText = '', milliseconds = '0'] = process.argv.slice(2);
const apiKey = Buffer.from(apiKeyText, 'base64');
const GARBAGE = Buffer.from(Array.from({ length: 250 }, (_, at) => (at * 89 + 128) % 256));

const answers: Readonly<Record<string, (url: string, res: ServerResponse) => void>> = {
  honest: (url, res) => {
    const delay = Number(milliseconds);
    if (delay === 0) res.end(formatAnswer(url));
    else setTimeout(() => res.end(formatAnswer(url)), delay);
  },
  hung: () => undefined,
  garbage: (_url, res) => void res.end(GARBAGE),
};

/** Accepts every OTP in a signed request, and signs the answer. Uses none of the code that is measured. */
function formatAnswer(url: string): string {
  const asked = new Map(new URLSearchParams(url.slice(url.indexOf('?') + 1)));
  const signature = asked.get('h');
  asked.delete('h');
  const said = new Map([['t', new Date().toISOString().replace('.', '0').replace('Z', '')]]);
  for (const name of ['otp', 'nonce']) said.set(name, asked.get(name) ?? '');
  said.set('sl', '100').set('status', sign(asked) === signature ? 'OK' : 'BAD_SIGNATURE');
  const lines = [['h', sign(said)], ...said].map(([name, value]) => `${name}=${value}\r\n`);
  return `${lines.join('')}\r\n`;
}

function sign(fields: ReadonlyMap<string, string>): string {
  const text = [...fields].map(([name, value]) => `${name}=${value}`);
  return createHmac('sha1', apiKey).update(text.sort().join('&')).digest('base64');
}

const answer = answers[kind];
if (!answer) throw new Error(`Unknown kind of server: ${kind}`);
const server = createServer((req, res) => answer(req.url ?? '', res));
server.keepAliveTimeout = 60_000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.((server.address() as AddressInfo).port);
});
process.on('disconnect', () => process.exit());
