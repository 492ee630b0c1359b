import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CloudVerifier, KsmVerifier, LocalKsm, MemoryStore, parseOtp } from '../../src/index.js';
import { formatApiKey } from '../../src/protocol/index.js';
import { type Listener, validationListener } from '../../src/server/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { readFiles, writeRecipe } from '../support/recipes/recipe.js';

const PAGE = '../protocol';
const SECRET = Buffer.from('the API key of a client');
const CLIENT = { id: '42', apiKey: formatApiKey(SECRET) };

let folder: string;
let askServer: (server: string, client: typeof CLIENT, typed: string) => Promise<string>;
let createFakeServer: (client: typeof CLIENT) => Server;
const servers: Server[] = [];

beforeAll(async () => {
  folder = writeRecipe(PAGE);
  const load = (name: string) => import(pathToFileURL(join(folder, name)).href);
  ({ askServer } = await load('client.mjs'));
  ({ createFakeServer } = await load('fake-server.mjs'));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startListener(yubikey: SoftYubikey): Promise<string> {
  const { keys, counters, clients } = new MemoryStore();
  await keys.add(yubikey);
  await clients.add({ id: CLIENT.id, apiKey: SECRET });
  const listener: Listener = validationListener({
    verifier: new KsmVerifier({ ksm: new LocalKsm(keys), counters }),
    clients,
  });
  return listen(createServer(listener));
}

const STRANGER = { ...CLIENT, id: '43' };
const THIEF = { ...CLIENT, apiKey: formatApiKey(Buffer.from('another API key')) };

describe('docs/protocol.md', () => {
  it('prints a client and a fake server, made of public exports of ./protocol alone', () => {
    const imports = Array.from(readFiles(PAGE), ([name, code]) => [
      name,
      Array.from(code.matchAll(/from '([^']+)'/g), ([, from]) => from).filter(
        (from) => !from?.startsWith('node:'),
      ),
    ]);
    expect(imports).toEqual([
      ['client.mjs', ['passport-yubikey-otp/protocol']],
      ['fake-server.mjs', ['passport-yubikey-otp/protocol']],
    ]);
  });

  it('has a client that understands validationListener', async () => {
    const yubikey = new SoftYubikey({ layout: 'us(dvorak)' });
    const server = await startListener(yubikey);
    const otp = yubikey.press();
    expect(await askServer(server, CLIENT, ` ${otp}\r\n`)).toBe('OK');
    expect(await askServer(server, CLIENT, otp)).toBe('REPLAYED_OTP');
    expect(await askServer(server, CLIENT, new SoftYubikey().press())).toBe('BAD_OTP');
    await expect(askServer(server, CLIENT, 'hello')).rejects.toThrow('Not a YubiKey OTP');
  });

  it('has a client that believes no answer with another signature', async () => {
    const server = await startListener(new SoftYubikey());
    // The real server signs with the key of the client that it knows, or with the empty key.
    for (const client of [THIEF, STRANGER]) {
      await expect(askServer(server, client, new SoftYubikey().press())).rejects.toThrow('not signed');
    }
  });

  it('has a client that believes no answer to another request', async () => {
    const yubikey = new SoftYubikey();
    const real = await startListener(yubikey);
    let first: Promise<string> | undefined;
    const replaying = await listen(
      createServer(async ({ url }, response) => {
        first ??= fetch(real + url).then((answer) => answer.text());
        response.end(await first);
      }),
    );
    const otp = yubikey.press();
    expect(await askServer(replaying, CLIENT, otp)).toBe('OK');
    await expect(askServer(replaying, CLIENT, otp)).rejects.toThrow('about another request');
    await expect(askServer(replaying, CLIENT, yubikey.press())).rejects.toThrow('about another request');
  });

  it('has a fake server that CloudVerifier understands', async () => {
    const server = await listen(createFakeServer(CLIENT));
    const ask = async (client: typeof CLIENT, otp: string) => {
      const { id: clientId, apiKey } = client;
      const verifier = new CloudVerifier({
        clientId,
        apiKey,
        servers: [`${server}/wsapi/2.0/verify`],
        retries: 0,
      });
      try {
        return await verifier.verify(parseOtp(otp));
      } finally {
        await verifier.close();
      }
    };
    const yubikey = new SoftYubikey();
    const otp = yubikey.press();
    expect(await ask(CLIENT, otp)).toMatchObject({ ok: true, identity: { publicId: yubikey.publicId } });
    expect(await ask(CLIENT, otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    expect(await ask(CLIENT, yubikey.press({ capsLock: true }))).toMatchObject({ ok: true });
    await expect(ask(STRANGER, yubikey.press())).rejects.toMatchObject({ code: 'NO_SUCH_CLIENT' });
    await expect(ask(THIEF, yubikey.press())).rejects.toMatchObject({ code: 'BAD_SIGNATURE' });
  });

  it('has a client and a fake server that understand each other', async () => {
    const server = await listen(createFakeServer(CLIENT));
    const otp = new SoftYubikey().press();
    expect(await askServer(server, CLIENT, otp)).toBe('OK');
    expect(await askServer(server, CLIENT, otp)).toBe('REPLAYED_OTP');
    expect(await askServer(server, STRANGER, otp)).toBe('NO_SUCH_CLIENT');
    await expect(askServer(server, THIEF, otp)).rejects.toThrow('not signed');
  });

  it('has a fake server that refuses a request that it cannot read', async () => {
    const server = await listen(createFakeServer(CLIENT));
    const statusOf = async (query: string) =>
      /^status=(\w+)\r$/m.exec(await (await fetch(`${server}/wsapi/2.0/verify?${query}`)).text())?.[1];
    expect(await statusOf('')).toBe('MISSING_PARAMETER');
    expect(await statusOf(`nonce=${'a'.repeat(16)}&otp=hello`)).toBe('BAD_OTP');
    expect(await statusOf('id=1&id=1')).toBe('MISSING_PARAMETER');
  });
});
