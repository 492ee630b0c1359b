import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createProxy } from 'proxy';
import { Agent, ProxyAgent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { CloudVerifier, parseOtp } from '../../../src/index.js';
import { API_KEY, answer, CLIENT_ID, startFakeServer } from './fake-server.js';
import { closeAll, OK, verifierOf, yubikey } from './harness.js';

afterEach(closeAll);

describe("a dispatcher of the application's", () => {
  it('may be a proxy', async () => {
    const server = await startFakeServer(answer('OK'));
    const proxy = createProxy(createServer());
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const connects: string[] = [];
    proxy.on('connect', (req) => connects.push(req.url as string));
    const dispatcher = new ProxyAgent({
      uri: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      proxyTunnel: true,
    });
    const verifier = verifierOf([server.url], { dispatcher });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
    expect(connects).toEqual([new URL(server.url).host]);
    await dispatcher.close();
    await new Promise((resolve) => proxy.close(resolve));
  });

  it('stays open when the verifier is closed', async () => {
    const server = await startFakeServer(answer('OK'));
    const dispatcher = new Agent();
    const options = { clientId: CLIENT_ID, apiKey: API_KEY, servers: [server.url], dispatcher };
    for (let round = 0; round < 2; round++) {
      const verifier = new CloudVerifier(options);
      expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
      await verifier.close();
    }
    expect(dispatcher.closed).toBe(false);
    await dispatcher.close();
  });

  it('refuses a ca beside it, which would have no effect', () => {
    const dispatcher = new Agent();
    expect(() => verifierOf(['https://otp.example/'], { dispatcher, ca: 'x' })).toThrow('ca has no effect');
  });
});
