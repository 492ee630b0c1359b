import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createProxy } from 'proxy';
import { Agent, interceptors, MockAgent, ProxyAgent, RetryAgent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { CloudVerifier, parseOtp } from '../../../src/index.js';
import {
  API_KEY,
  answer,
  answerFields,
  answerText,
  CLIENT_ID,
  httpStatus,
  inTurn,
  startFakeServer,
} from '../../support/verifiers/cloud/fake-server.js';
import { catchError, closeAll, createVerifier, OK, yubikey } from '../../support/verifiers/cloud/harness.js';

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
    const verifier = createVerifier([server.url], { dispatcher });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
    expect(connects).toEqual([new URL(server.url).host]);
    await dispatcher.close();
    await new Promise((resolve) => proxy.close(resolve));
  });

  it.each([
    ['one that retries', () => new RetryAgent(new Agent(), { minTimeout: 10 })],
    ['one with interceptors', () => new Agent().compose(interceptors.retry({ minTimeout: 10 }))],
  ])('may be %s', async (_what, createDispatcher) => {
    const server = await startFakeServer(inTurn(httpStatus(503), answer('OK')));
    const dispatcher = createDispatcher();
    const verifier = createVerifier([server.url], { dispatcher, retries: 0 });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
    await dispatcher.destroy();
  });

  it('may be a mock', async () => {
    const dispatcher = new MockAgent();
    dispatcher.disableNetConnect();
    dispatcher
      .get('http://127.0.0.1')
      .intercept({ path: (path) => path.startsWith('/verify?') })
      .reply(200, ({ path }) => answerText(answerFields(new URLSearchParams(path.slice(8)), 'OK')));
    const verifier = createVerifier(['http://127.0.0.1/verify'], { dispatcher, retries: 0 });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
    expect(await catchError(verifier.verify(parseOtp(yubikey.press())))).toMatchObject({
      code: 'UNREACHABLE',
    });
    await dispatcher.close();
  });

  it('stays open after the verifier is closed', async () => {
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

  it('cannot be combined with a ca, which would have no effect', () => {
    const dispatcher = new Agent();
    expect(() => createVerifier(['https://otp.example/'], { dispatcher, ca: 'x' })).toThrow(
      'ca has no effect',
    );
  });
});
