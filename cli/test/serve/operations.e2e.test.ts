import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import { RedisServer } from '../../../test/support/servers/redis.js';
import { run, temporaryFolder } from '../support/command.js';
import { firstClient, type Service, serve, store, verdict } from '../support/serve/service.js';

const json = async (url: string) => {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
};

const CONNECTED = { status: 200, body: { status: 'healthy', database: { status: 'connected' } } };
const DISCONNECTED = { status: 200, body: { status: 'healthy', database: { status: 'disconnected' } } };
const READY = { status: 200, body: { status: 'ready' } };
const UNREADY = { status: 503, body: { status: 'unavailable', database: { status: 'disconnected' } } };

/** Waits until the service says so of its database. */
async function becomes(service: Service, ready: typeof READY | typeof UNREADY): Promise<void> {
  await expect.poll(() => json(`${service.url}/ready`), { timeout: 10_000 }).toEqual(ready);
}

describe('health and readiness', () => {
  it('tell that the process lives and the database answers', async () => {
    const service = await serve([], { cwd: temporaryFolder() });
    expect(await json(`${service.url}/health`)).toEqual(CONNECTED);
    expect(await json(`${service.url}/ready?x=1`)).toEqual(READY);
    expect((await fetch(`${service.url}/ready`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${service.url}/ready`, { method: 'HEAD' })).status).toBe(200);
  });

  it('say that the database file was gone, even after it is back', async () => {
    const cwd = temporaryFolder();
    const service = await serve([], { cwd });
    renameSync(join(cwd, 'yubikey-otp.db'), join(cwd, 'moved.db'));
    await becomes(service, UNREADY);
    expect(await json(`${service.url}/health`)).toEqual(DISCONNECTED);
    renameSync(join(cwd, 'moved.db'), join(cwd, 'yubikey-otp.db'));
    expect(await json(`${service.url}/ready`)).toEqual(UNREADY);
  });
});

describe('metrics', () => {
  it('count what was answered, and how long it took', async () => {
    const cwd = temporaryFolder();
    const service = await serve([], { cwd });
    const yubikey = new SoftYubikey();
    await store([yubikey], { cwd });
    const client = firstClient(cwd);
    const otp = yubikey.press();
    for (const wanted of ['OK', 'REPLAYED_OTP', 'REPLAYED_OTP']) {
      expect(await verdict(service, client, otp)).toBe(wanted);
    }
    await fetch(`${service.url}/wsapi/decrypt/?otp=${yubikey.press()}`);
    await fetch(`${service.url}/wsapi/2.0/verify`, { method: 'DELETE' });
    const text = await (await fetch(`${service.url}/metrics`)).text();
    expect(text).toContain('yubikey_verifications_total{protocol="2.0",status="OK"} 1\n');
    expect(text).toContain('yubikey_verifications_total{protocol="2.0",status="REPLAYED_OTP"} 2\n');
    expect(text).toContain('yubikey_verifications_total{protocol="2.0",status="HTTP_405"} 1\n');
    expect(text).toContain('yubikey_verification_seconds_count{status="OK"} 1\n');
    expect(text).toContain(
      'yubikey_ksm_requests_total{operation="decrypt",protocol="wsapi",outcome="OK"} 1\n',
    );
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text).not.toContain(yubikey.publicId);
  });

  it('are for this machine alone, unless they have a separate port', async () => {
    const forwarded = { headers: { 'x-forwarded-for': '192.0.2.1' } };
    const one = await serve([], { cwd: temporaryFolder() });
    expect((await fetch(`${one.url}/metrics`)).status).toBe(200);
    expect((await fetch(`${one.url}/metrics`, forwarded)).status).toBe(404);

    const other = await serve(['--metrics-port', '0'], { cwd: temporaryFolder() });
    expect((await fetch(`${other.url}/metrics`)).status).toBe(404);
    expect((await fetch(`${other.urlOf('metrics')}/metrics`, forwarded)).status).toBe(200);
    expect((await fetch(`${other.urlOf('metrics')}/wsapi/2.0/verify`)).status).toBe(404);
  });
});

describe('logs', () => {
  it('have one line for each answer, with what identifies it', async () => {
    const cwd = temporaryFolder();
    const service = await serve(['--trust-proxy', '127.0.0.1'], {
      cwd,
      env: { YUBIKEY_MANAGEMENT_TOKEN: 'a-token-of-16-characters' },
    });
    const yubikey = new SoftYubikey();
    await store([yubikey], { cwd });
    expect(await verdict(service, firstClient(cwd), yubikey.press())).toBe('OK');
    expect(await service.line({ msg: 'verification' })).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      service: 'validation',
      protocol: '2.0',
      client: '1',
      publicId: yubikey.publicId,
      status: 'OK',
      http: 200,
      ms: expect.any(Number),
      address: '127.0.0.1',
      msg: 'verification',
    });
    const headers = { 'x-forwarded-for': '192.0.2.1' };
    await fetch(`${service.url}/wsapi/decrypt/?otp=${yubikey.press()}`, { headers });
    expect(await service.line({ msg: 'KSM request' })).toMatchObject({
      service: 'ksm',
      protocol: 'wsapi',
      operation: 'decrypt',
      publicId: yubikey.publicId,
      status: 'OK',
      address: '192.0.2.1',
    });
  });

  it('are empty at the level silent', async () => {
    const service = await serve(['--log-level', 'silent'], { cwd: temporaryFolder() });
    expect(service.stdout).toBe('');
  });
});

describeWith('a PostgreSQL that goes and comes back', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  it('makes a service unready, never accepting, and ready again', async () => {
    const cwd = temporaryFolder();
    const env = {
      YUBIKEY_DB: (await server.newSchema()).replace('test@', 'test:hunter2@'),
      YUBIKEY_MASTER_KEY: `one:${newMasterKey().toString('base64')}`,
    };
    const service = await serve([], { cwd, env });
    const made = await run(['clients', 'new', '--json'], { cwd, env });
    const { id, apiKey } = JSON.parse(made.stdout);
    const client = { clientId: id, apiKey };
    const yubikey = new SoftYubikey();
    await store([yubikey], { cwd, env });
    expect(await verdict(service, client, yubikey.press())).toBe('OK');

    await server.halt();
    await becomes(service, UNREADY);
    expect(await json(`${service.url}/health`)).toEqual(DISCONNECTED);
    const otp = yubikey.press();
    await expect(verdict(service, client, otp, { retries: 0 })).rejects.toMatchObject({ status: 503 });
    const line = await service.line({ msg: 'verification', level: 'error' });
    expect(line.status).toBe('BACKEND_ERROR');
    // Itself or as a cause: what was read within a second need not be read again before it fails.
    expect(JSON.stringify([line.error, line.causes])).toContain('"ECONNREFUSED"');
    expect(service.stdout + service.stderr).not.toContain('hunter2');

    await server.run();
    await becomes(service, READY);
    expect(await verdict(service, client, otp)).toBe('OK');
    expect((await service.stop()).code).toBe(0);
  });
});

describeWith('a Redis that goes and comes back', ['redis-server'], () => {
  it('makes a service unready, never accepting, and ready again', async () => {
    const server = await RedisServer.start();
    try {
      const cwd = temporaryFolder();
      const env = {
        YUBIKEY_DB: server.url,
        YUBIKEY_MASTER_KEY: `one:${newMasterKey().toString('base64')}`,
      };
      const service = await serve([], { cwd, env });
      const yubikey = new SoftYubikey();
      await store([yubikey], { cwd, env });
      const { stdout } = await run(['clients', 'new', '--json'], { cwd, env });
      const { id: clientId, apiKey } = JSON.parse(stdout);
      const used = yubikey.press();
      expect(await verdict(service, { clientId, apiKey }, used)).toBe('OK');
      await server.halt();
      await becomes(service, UNREADY);
      const otp = yubikey.press();
      await expect(verdict(service, { clientId, apiKey }, otp, { retries: 0 })).rejects.toMatchObject({
        status: 503,
      });
      await server.run();
      await becomes(service, READY);
      expect(await verdict(service, { clientId, apiKey }, used)).toBe('REPLAYED_OTP');
      expect(await verdict(service, { clientId, apiKey }, otp)).toBe('OK');
      expect((await service.stop()).code).toBe(0);
    } finally {
      await server.stop();
    }
  });
});
