import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import {
  API_KEY,
  answer,
  CLIENT_ID,
  delayed,
  hang,
  httpStatus,
  startFakeServer,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  catchError,
  closeAll,
  createVerifier,
  startAll,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The kinds of handles that keep this process alive: open sockets and timers. */
function resources(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => /TCP|TLS|Timeout|Connect|GetAddrInfo/.test(kind));
}

/** Runs a program that verifies one OTP with these options. The time is from its output to its exit. */
function run(
  program: string,
  servers: string[],
  extra: object = {},
): Promise<{ output: string; milliseconds: number }> {
  const path = fileURLToPath(new URL(`../../support/fixtures/${program}`, import.meta.url));
  const options = JSON.stringify({ clientId: CLIENT_ID, apiKey: API_KEY, servers, ...extra });
  const child = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', path, yubikey.press(), options]);
  let output = '';
  let outputAt = Number.NaN;
  const onData = (chunk: Buffer) => {
    output += chunk;
    outputAt = performance.now();
  };
  child.stdout.on('data', onData);
  child.stderr.on('data', onData);
  return new Promise((resolve) => {
    child.on('exit', () => resolve({ output, milliseconds: performance.now() - outputAt }));
  });
}

describe('a process with nothing else to do', () => {
  it('exits after a verdict while connections are kept', async () => {
    const server = await startFakeServer(answer('OK'));
    const { output, milliseconds } = await run('verify-once.ts', [server.url]);
    expect(output).toContain('"ok":true');
    expect(milliseconds).toBeLessThan(5000);
  });

  it('exits after a verdict while other requests are pending', async () => {
    const [fast, hung, slow] = await startAll(answer('OK'), hang, delayed(8000, answer('OK')));
    const { output, milliseconds } = await run('verify-once.ts', [
      fast?.url,
      hung?.url,
      slow?.url,
    ] as string[]);
    expect(output).toContain('"ok":true');
    expect(milliseconds).toBeLessThan(5000);
  });

  it('waits for a slow verdict', async () => {
    const server = await startFakeServer(delayed(1500, answer('OK')));
    const { output } = await run('verify-once.ts', [server.url]);
    expect(output).toContain('"ok":true');
  });

  it('exits after an error', async () => {
    const server = await startFakeServer(hang);
    const { output, milliseconds } = await run('verify-once.ts', [server.url], { timeout: 300 });
    expect(output).toContain('TIMED_OUT');
    expect(milliseconds).toBeLessThan(5000);
  });
});

describe('close()', () => {
  it('leaves no socket and no timer, not even unreferenced ones', async () => {
    const servers = await startAll(answer('OK'), hang, httpStatus(500));
    const program = 'close-after-verify.ts';
    const { output } = await run(
      program,
      servers.map(({ url }) => url),
    );
    const { ok, openBefore, openAfter } = JSON.parse(output);
    expect(ok).toBe(true);
    expect(openBefore).toEqual(expect.arrayContaining(['TCPWRAP', 'Timeout']));
    expect(openAfter).toEqual([]);
    expect(servers.map(({ sockets }) => sockets.size)).toEqual([0, 0, 0]);
  });

  it('ends pending and later verifications with CLOSED', async () => {
    const server = await startFakeServer(hang);
    const verifier = createVerifier([server.url]);
    const open = catchError(verifier.verify(parseOtp(yubikey.press())));
    await sleep(50);
    await verifier.close();
    expect(await open).toMatchObject({ code: 'CLOSED' });
    expect(await catchError(verifier.verify(parseOtp(yubikey.press())))).toMatchObject({ code: 'CLOSED' });
    await verifier.close();
  });
});

describe('requests of decided verifications', () => {
  it('finish after the verdict, so that their connections stay open', async () => {
    const [fast, slow] = await startAll(answer('OK'), delayed(100, answer('OK')));
    const verifier = createVerifier([fast?.url, slow?.url] as string[]);
    for (let touch = 0; touch < 5; touch++) {
      await verifier.verify(parseOtp(yubikey.press()));
      await sleep(150);
    }
    expect([fast?.connections, slow?.connections]).toEqual([1, 1]);
    expect(slow?.requests).toHaveLength(5);
  });

  it('are abandoned at the timeout', async () => {
    const [fast, hung] = await startAll(answer('OK'), hang);
    const verifier = createVerifier([fast?.url, hung?.url] as string[], { timeout: 400 });
    await verifier.verify(parseOtp(yubikey.press()));
    expect(hung?.sockets.size).toBe(1);
    await sleep(600);
    expect(hung?.sockets.size).toBe(0);
  });

  it('do not accumulate at a server that hangs', async () => {
    const [fast, hung] = await startAll(answer('OK'), hang);
    const verifier = createVerifier([fast?.url, hung?.url] as string[]);
    for (let touch = 0; touch < 100; touch++) await verifier.verify(parseOtp(yubikey.press()));
    await sleep(100);
    expect(hung?.sockets.size).toBeLessThanOrEqual(34);
  });

  it('do not accumulate during many simultaneous verifications', async () => {
    const [fast, hung] = await startAll(answer('OK'), hang);
    // A retry on a busy machine would be a second connection of its verification.
    const verifier = createVerifier([fast?.url, hung?.url] as string[], { retries: 0 });
    await Promise.all(Array.from({ length: 100 }, () => verifier.verify(parseOtp(yubikey.press()))));
    // undici reconnects for abandoned requests, although nobody needs the connections.
    const waiting = () => [...(hung?.sockets ?? [])].filter(({ bytesRead }) => bytesRead > 0).length;
    await expect.poll(waiting).toBeLessThanOrEqual(32);
    expect(hung?.requests.length).toBeGreaterThan(32);
  });

  it('leave no handle open after a hundred verifications (CVE-2018-9275: one leaked per login)', async () => {
    const [fast, failing] = await startAll(answer('OK'), httpStatus(403));
    const verifier = createVerifier([fast?.url, failing?.url] as string[]);
    // The server is asked each time only if it is the only one.
    const failingVerifier = createVerifier([failing?.url as string]);
    const verifyAtBoth = async () => {
      await verifier.verify(parseOtp(yubikey.press()));
      await catchError(failingVerifier.verify(parseOtp(yubikey.press())));
    };
    await verifyAtBoth();
    await sleep(50);
    const before = resources().length;
    for (let touch = 0; touch < 100; touch++) await verifyAtBoth();
    expect(failing?.requests.length).toBeGreaterThan(100);
    await sleep(50);
    expect(resources().length).toBeLessThanOrEqual(before + 4);
  });
});
