import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import { MAIN, run, start, temporaryFolder } from '../support/command.js';
import { firstClient, refused, Service, serve, store, verdict } from '../support/serve/service.js';

describe('the first start', () => {
  it('makes everything that is missing, accepts an OTP once, and shows no secret', async () => {
    const cwd = temporaryFolder();
    const service = await serve([], { cwd });
    await service.says('Store YubiKeys');
    for (const file of ['yubikey-otp.db', 'yubikey-otp.master-key', 'yubikey-otp.db.client-1']) {
      expect(statSync(join(cwd, file)).mode & 0o777, file).toBe(0o600);
    }
    const client = firstClient(cwd);
    expect(client.clientId).toBe('1');
    const yubikey = new SoftYubikey();
    await store([yubikey], { cwd });
    const otp = yubikey.press();
    expect(await verdict(service, client, otp)).toBe('OK');
    expect(await verdict(service, client, otp)).toBe('REPLAYED_OTP');

    const { code, stdout, stderr } = await service.stop();
    expect(code).toBe(0);
    expect(stderr).toContain('made client 1');
    expect(stderr).toContain('./yubikey-otp.db.client-1');
    expect(stderr).toContain('yubikey-otp press | xargs yubikey-otp verify');
    expect(stderr).toContain('./yubikey-otp.master-key seals');
    const [, masterKey] = readFileSync(join(cwd, 'yubikey-otp.master-key'), 'utf8').trim().split(':');
    for (const secret of [client.apiKey, masterKey as string, otp]) {
      expect((stdout + stderr).includes(secret)).toBe(false);
    }
  });

  it('quotes the database in the commands that it advises', async () => {
    const service = await serve(['--db', 'my keys.db'], { cwd: temporaryFolder() });
    await service.says("yubikey-otp --db 'my keys.db' keys new --help");
    expect((await service.stop()).stderr).toContain(
      "yubikey-otp --db 'my keys.db' press | xargs yubikey-otp --db 'my keys.db' verify",
    );
  });

  it('has made the client when it logs that it listens', async () => {
    const cwd = temporaryFolder();
    const service = new Service(start(['serve', '--port', '0'], { cwd }));
    onTestFinished(() => void service.child.kill('SIGKILL'));
    await once(service.child.stdout, 'data');
    expect(service.stdout).toContain('listening');
    expect(existsSync(join(cwd, 'yubikey-otp.db.client-1'))).toBe(true);
  });

  it('is followed by starts that find everything and make nothing', async () => {
    const cwd = temporaryFolder();
    const first = await serve([], { cwd });
    const yubikey = new SoftYubikey();
    await store([yubikey], { cwd });
    const otp = yubikey.press();
    const client = firstClient(cwd);
    expect(await verdict(first, client, otp)).toBe('OK');
    await first.stop();
    rmSync(join(cwd, 'yubikey-otp.db.client-1'));

    const second = await serve([], { cwd });
    expect(await verdict(second, client, otp)).toBe('REPLAYED_OTP');
    expect(await verdict(second, client, yubikey.press())).toBe('OK');
    expect(second.stderr).not.toContain('first start');
    expect(existsSync(join(cwd, 'yubikey-otp.db.client-1'))).toBe(false);
    expect(JSON.parse((await run(['clients', 'list', '--json'], { cwd })).stdout)).toHaveLength(1);
  });

  it('makes no new master key if there are records whose master key is missing', async () => {
    const cwd = temporaryFolder();
    await (await serve([], { cwd })).stop();
    rmSync(join(cwd, 'yubikey-otp.master-key'));
    const ended = await refused([], { cwd });
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('There is no master key');
    expect(existsSync(join(cwd, 'yubikey-otp.master-key'))).toBe(false);
  });

  it('makes no client for a KSM alone', async () => {
    const cwd = temporaryFolder();
    await serve(['--no-validation'], { cwd });
    expect(readdirSync(cwd).filter((name) => name.includes('client'))).toEqual([]);
    expect((await run(['clients', 'list', '--json'], { cwd })).stdout).toBe('[]\n');
  });
});

describeWith('the first start at a terminal', ['script'], () => {
  it('shows the API key only on the terminal, and Ctrl-C stops the service', async () => {
    const cwd = temporaryFolder();
    // Some shells stay beside their command, and Ctrl-C ends them too.
    const command = `exec ${process.execPath} ${MAIN} serve --port 0`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd, stdio: 'pipe' });
    const ended = once(terminal, 'close');
    let shown = '';
    let isAsked = false;
    for await (const text of terminal.stdout.setEncoding('utf8')) {
      shown += text;
      // A second Ctrl-C would end it at once.
      if (!isAsked && shown.includes('Store YubiKeys')) terminal.stdin.write('\x03');
      isAsked ||= shown.includes('Store YubiKeys');
    }
    expect((await ended)[0]).toBe(0);
    const apiKey = /API key is shown only now: (\S+)/.exec(shown)?.[1] as string;
    expect(Buffer.from(apiKey, 'base64')).toHaveLength(20);
    expect(readdirSync(cwd).filter((name) => name.includes('client'))).toEqual([]);
    expect(shown).toContain('Stopping (SIGINT)');
  });
});

describeWith('two first starts at once on one PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  it('make one client between them', async () => {
    const cwd = temporaryFolder();
    const env = {
      YUBIKEY_DB: await server.newSchema(),
      YUBIKEY_MASTER_KEY: `one:${newMasterKey().toString('base64')}`,
    };
    const services = await Promise.all([1, 2, 3].map(() => serve([], { cwd, env })));
    const winners = services.filter(({ stderr }) => stderr.includes('made client 1'));
    expect(winners).toHaveLength(1);
    // Its file has a longer name if another instance had taken the short one, and removed its file again.
    const [file = '', ...others] = readdirSync(cwd);
    expect(file).toMatch(/^yubikey-otp\.client-1(\.[\w-]{36})?$/);
    expect(others).toEqual([]);
    expect(winners[0]?.stderr).toContain(`Its API key is in ./${file},`);
    expect(JSON.parse((await run(['clients', 'list', '--json'], { cwd, env })).stdout)).toHaveLength(1);
  });

  it('do not serve with two different master keys', async () => {
    const env = { YUBIKEY_DB: await server.newSchema() };
    const started = await Promise.allSettled([1, 2].map(() => serve([], { cwd: temporaryFolder(), env })));
    const failed = started.filter((each) => each.status === 'rejected');
    expect(failed).toHaveLength(1);
    expect(String(failed[0]?.reason)).toMatch(/master key/);
  });
});
