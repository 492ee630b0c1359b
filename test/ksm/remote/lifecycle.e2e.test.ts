import { spawn } from 'node:child_process';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Agent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { KsmVerifier, MemoryStore, parseOtp } from '../../../src/index.js';
import {
  closeAll,
  type Protocol,
  remoteKsm,
  rest,
  restError,
  startKsm,
  wsapi,
  yubikey,
} from '../../support/ksm/remote/fake-ksm.js';
import { type Behaviour, delayed, hang } from '../../support/verifiers/cloud/fake-server.js';
import { catchError } from '../../support/verifiers/cloud/harness.js';

const silent = new Set<net.Server>();

afterEach(async () => {
  await closeAll();
  for (const server of silent) server.close();
  silent.clear();
});

const PROTOCOLS: Protocol[] = ['rest', 'wsapi'];
/** In milliseconds: less than connections stay open or answers are waited for, even on a busy machine. */
const AT_ONCE = 10_000;
const GOOD = { rest: rest(), wsapi: wsapi() };

async function startAll(...behaviours: Behaviour[]) {
  const servers = await Promise.all(behaviours.map(startKsm));
  return { servers, urls: servers.map(({ url }) => url) };
}

/** A TLS server that never completes a handshake. */
async function startSilentServer(): Promise<string> {
  const server = net.createServer((socket) => socket.on('error', () => undefined).resume());
  silent.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://127.0.0.1:${(server.address() as net.AddressInfo).port}/`;
}

function handles(): number {
  return process.getActiveResourcesInfo().filter((kind) => /TCP|TLS|Timeout|Connect/.test(kind)).length;
}

describe('a process with nothing else to do', () => {
  /** How long the process continues after its output, in milliseconds. */
  function run(options: object): Promise<{ output: string; milliseconds: number }> {
    const path = fileURLToPath(new URL('../../support/fixtures/decrypt-once.ts', import.meta.url));
    const child = spawn(process.execPath, [
      '--import',
      'tsx',
      path,
      yubikey.press(),
      JSON.stringify(options),
    ]);
    let output = '';
    let outputAt = Number.NaN;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
        outputAt = performance.now();
      });
    }
    return new Promise((resolve) =>
      child.on('exit', () => resolve({ output, milliseconds: performance.now() - outputAt })),
    );
  }

  it.each(PROTOCOLS)('exits after an answer (%s)', async (protocol) => {
    const { urls } = await startAll(GOOD[protocol]);
    const { output, milliseconds } = await run({ protocol, urls });
    expect(output).toContain('"ok":true');
    expect(milliseconds).toBeLessThan(AT_ONCE);
  });

  it('exits after an answer while other requests are pending', async () => {
    const { urls } = await startAll(wsapi(), hang, delayed(30_000, wsapi()));
    const { output, milliseconds } = await run({ protocol: 'wsapi', urls, timeout: 30_000 });
    expect(output).toContain('"ok":true');
    expect(milliseconds).toBeLessThan(AT_ONCE);
  });

  it.each(PROTOCOLS)('waits for a slow answer (%s)', async (protocol) => {
    const { urls } = await startAll(delayed(1200, GOOD[protocol]));
    expect((await run({ protocol, urls })).output).toContain('"ok":true');
  });

  it.each(PROTOCOLS)('exits after an error (%s)', async (protocol) => {
    const { urls } = await startAll(hang, hang);
    const { output, milliseconds } = await run({ protocol, urls, timeout: 600 });
    expect(output).toContain('KSM_FAILED');
    expect(milliseconds).toBeLessThan(AT_ONCE);
  });
});

describe('close()', () => {
  it.each(PROTOCOLS)('ends pending and later decryptions with CLOSED (%s)', async (protocol) => {
    const { servers, urls } = await startAll(hang, hang);
    const ksm = remoteKsm(protocol, urls);
    const open = [1, 2].map(() => catchError(ksm.decrypt(parseOtp(yubikey.press()))));
    await expect.poll(() => servers[0]?.requests.length).toBe(2);
    await ksm.close();
    for (const error of await Promise.all(open)) expect(error).toMatchObject({ code: 'CLOSED', status: 500 });
    expect(await catchError(ksm.decrypt(parseOtp(yubikey.press())))).toMatchObject({ code: 'CLOSED' });
    await expect.poll(() => servers.map(({ sockets }) => sockets.size)).toEqual([0, 0]);
    await ksm.close();
  });

  it('leaves no socket and no timer of pending requests', async () => {
    const before = handles();
    const { servers, urls } = await startAll(wsapi(), hang, delayed(5000, wsapi()));
    const ksm = remoteKsm('wsapi', urls);
    await ksm.decrypt(parseOtp(yubikey.press()));
    expect(servers[1]?.sockets.size).toBe(1);
    await ksm.close();
    await expect.poll(() => servers.map(({ sockets }) => sockets.size)).toEqual([0, 0, 0]);
    await Promise.all(servers.map((server) => server.close()));
    await expect.poll(handles).toBeLessThanOrEqual(before);
  });

  it.each(PROTOCOLS)('leaves a dispatcher of the application open (%s)', async (protocol) => {
    const { urls } = await startAll(GOOD[protocol]);
    const dispatcher = new Agent();
    for (let round = 0; round < 2; round++) {
      const ksm = remoteKsm(protocol, urls, { dispatcher });
      expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
      await ksm.close();
    }
    expect(dispatcher.closed).toBe(false);
    await dispatcher.close();
  });
});

describe('a server that hangs', () => {
  it('keeps only few requests of decryptions that others answered', async () => {
    const { servers, urls } = await startAll(wsapi(), hang);
    const ksm = remoteKsm('wsapi', urls);
    for (let touch = 0; touch < 100; touch++) await ksm.decrypt(parseOtp(yubikey.press()));
    await sleep(100);
    expect(servers[1]?.sockets.size).toBeLessThanOrEqual(34);
  });

  it('is abandoned at the timeout', async () => {
    const { servers, urls } = await startAll(wsapi(), hang);
    const ksm = remoteKsm('wsapi', urls, { timeout: 300 });
    await ksm.decrypt(parseOtp(yubikey.press()));
    expect(servers[1]?.sockets.size).toBe(1);
    await expect.poll(() => servers[1]?.sockets.size).toBe(0);
  });

  it('while connecting has not received the OTP, so REPLAYED_OTP from the next server is a verdict', async () => {
    const { urls } = await startAll(restError('REPLAY_DETECTED'));
    const ksm = remoteKsm('rest', [await startSilentServer(), ...urls], { timeout: 4000 });
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
  });
});

it.each(PROTOCOLS)(
  '2,000 verifications leave no handle open if one of two servers fails (%s)',
  async (protocol) => {
    const failing: Behaviour = (_query, res) => void res.writeHead(403).end('no');
    const { servers, urls } = await startAll(failing, GOOD[protocol]);
    const ksm = remoteKsm(protocol, urls);
    const verifier = new KsmVerifier({ ksm, counters: new MemoryStore().counters });
    const verify = () => verifier.verify(parseOtp(yubikey.press()));
    for (let touch = 0; touch < 20; touch++) await verify();
    await sleep(100);
    const before = handles();
    for (let touch = 0; touch < 2000; touch++) expect(await verify()).toMatchObject({ ok: true });
    await sleep(100);
    expect(handles()).toBeLessThanOrEqual(before + 4);
    expect(servers[1]?.sockets.size).toBeLessThanOrEqual(2);
  },
  120_000,
);
