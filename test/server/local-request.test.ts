import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { isLocalRequest } from '../../src/server/index.js';

function request(remoteAddress: string | undefined, headers: Record<string, string> = {}): IncomingMessage {
  const request = new IncomingMessage({ remoteAddress } as Socket);
  return Object.assign(request, { headers, rawHeaders: Object.entries(headers).flat() });
}

describe('isLocalRequest', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])(
    'is true of a connection from %s',
    (address) => {
      expect(isLocalRequest(request(address, { Host: 'localhost:8080' }))).toBe(true);
    },
  );

  it.each(['192.0.2.1', '10.0.0.1', '::ffff:192.0.2.1', '2001:db8::1', '0.0.0.0', '::', '', undefined])(
    'is false of a connection from %s',
    (address) => {
      expect(isLocalRequest(request(address))).toBe(false);
    },
  );

  it('is true of what programs on this machine send', () => {
    for (const headers of [
      { Host: '127.0.0.1:8080', 'User-Agent': 'curl/8.5.0', Accept: '*/*' },
      {
        Host: 'localhost:8080',
        'User-Agent': 'Prometheus/3.5.0',
        Accept: 'application/openmetrics-text;version=1.0.0',
        'Accept-Encoding': 'gzip',
        'X-Prometheus-Scrape-Timeout-Seconds': '10',
        Authorization: 'Bearer x',
      },
      {
        Host: 'localhost:8080',
        Connection: 'keep-alive',
        'Cache-Control': 'max-age=0',
        'sec-ch-ua': '"Chromium";v="140"',
        DNT: '1',
        'Upgrade-Insecure-Requests': '1',
        'Sec-Fetch-Site': 'none',
        'Accept-Language': 'en',
        Cookie: 'via=x; x-forwarded-for=x',
        Origin: 'null',
        Referer: 'http://localhost/?x-real-ip',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
      { 'X-Zip': 'x', 'X-Trip-Id': '1', Viaduct: 'x', 'X-Addresses': 'x', 'X-Shipping': 'x' },
    ]) {
      expect(isLocalRequest(request('127.0.0.1', headers as never)), JSON.stringify(headers)).toBe(true);
    }
  });

  it('is false of a request with so many headers that Node.js may have left out the last ones', () => {
    const headers = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`A${at}`, '1']));
    expect(isLocalRequest(request('::1', headers(32)))).toBe(true);
    expect(isLocalRequest(request('::1', headers(33)))).toBe(false);
  });

  it('reads headers that only one of headers and rawHeaders has', () => {
    const forwarded = { Via: '1.1 proxy' };
    expect(isLocalRequest(Object.assign(request('::1'), { headers: forwarded }))).toBe(false);
    expect(isLocalRequest(Object.assign(request('::1'), { rawHeaders: ['Via', '1.1 proxy'] }))).toBe(false);
    expect(isLocalRequest(Object.assign(request('::1'), { rawHeaders: ['User-Agent', 'Via'] }))).toBe(true);
  });
});
