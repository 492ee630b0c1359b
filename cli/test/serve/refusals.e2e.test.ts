import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/command.js';
import { refused, serve } from '../support/serve/service.js';

const TOKEN = 'a-token-of-16-characters-or-more';

describe('a service that is not set up', () => {
  const CASES: [string, string[], Record<string, string>, string][] = [
    ['a network without a management token', ['--host', '0.0.0.0'], {}, 'Without a management token'],
    ['a short token', [], { YUBIKEY_MANAGEMENT_TOKEN: 'hunter2' }, 'YUBIKEY_MANAGEMENT_TOKEN takes 16'],
    ['a token in a file that is not there', ['--management-token-file', 'none'], {}, 'ENOENT'],
    ['two tokens', ['--management-token-file', 'x'], { YUBIKEY_MANAGEMENT_TOKEN: TOKEN }, 'leave one out'],
    ['a certificate that is none', ['--tls-cert', 'x', '--tls-key', 'x'], {}, 'are not a certificate'],
    ['a certificate that is not there', ['--tls-cert', 'none', '--tls-key', 'x'], {}, '--tls-cert: none'],
    ['a configuration that is not there', ['--config', 'none.json'], {}, 'none.json cannot be read'],
    ['a token on the command line', ['--management-token', TOKEN], {}, 'unknown option'],
  ];
  it.each(CASES)('%s: exit 2, and no file is made', async (_name, args, env, message) => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'x'), 'x');
    const ended = await refused(args, { cwd, env });
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).not.toMatch(/hunter2|a-token/);
    expect(readdirSync(cwd)).toEqual(['x']);
  });

  it('names every mistake at once', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'serve.json'), '{"prot": 1, "port": "x", "tlsCert": "a"}');
    const env = { YUBIKEY_CONFIG: 'serve.json', YUBIKEY_LOG_LEVEL: 'loud' };
    const { code, stderr } = await refused(['--host', '0.0.0.0'], { cwd, env });
    expect(code).toBe(2);
    for (const part of ['did you mean port?', 'YUBIKEY_LOG_LEVEL', '--tls-cert needs', 'management token']) {
      expect(stderr).toContain(part);
    }
  });

  it('says which address is taken', async () => {
    const cwd = temporaryFolder();
    const { url } = await serve([], { cwd });
    const port = new URL(url).port;
    const ended = await refused(['--ksm-port', port], { cwd: temporaryFolder() });
    expect(ended).toMatchObject({ code: 2 });
    expect(ended.stderr).toContain(`Cannot listen on 127.0.0.1 port ${port}: another program`);
    expect(ended.stderr).not.toContain('first start');
  });
});

describe('a service on a network', () => {
  it('starts with a token from a file, warns of plain text, and lets holders of the token manage keys', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'token'), `${TOKEN}\n`, { mode: 0o600 });
    const config = { host: '0.0.0.0', managementTokenFile: 'token', allowDecryptFrom: ['192.0.2.0/24'] };
    writeFileSync(join(cwd, 'serve.json'), JSON.stringify(config));
    const service = await serve(['--config', 'serve.json'], { cwd });
    expect(service.stderr).toMatch(/Warning: .*plain text/);
    const url = service.url.replace('0.0.0.0', '127.0.0.1');
    const list = (authorization: string) => fetch(`${url}/api/v1/keys`, { headers: { authorization } });
    expect((await list(`Bearer ${TOKEN}`)).status).toBe(200);
    expect((await list('Bearer another-token-of-some-length')).status).toBe(401);
    expect((await fetch(`${url}/api/v1/keys`)).status).toBe(401);
    const decrypted = await fetch(`${url}/wsapi/decrypt/?otp=x`);
    expect(decrypted.status).toBe(403);
  });
});

describe('what is served', () => {
  it('can be the KSM on a separate port', async () => {
    const service = await serve(['--ksm-port', '0'], { cwd: temporaryFolder() });
    const [validation, ksm] = [service.urlOf('validation'), service.urlOf('ksm')];
    expect(ksm).not.toBe(validation);
    expect((await fetch(`${ksm}/api/v1/keys`)).status).toBe(401);
    expect((await fetch(`${validation}/api/v1/keys`)).status).toBe(404);
    expect((await fetch(`${ksm}/wsapi/2.0/verify`)).status).toBe(404);
    expect((await fetch(`${validation}/wsapi/2.0/verify`)).status).toBe(200);
  });

  it('can be the validation server or the KSM alone', async () => {
    const [validation, ksm] = await Promise.all([
      serve(['--no-ksm'], { cwd: temporaryFolder() }),
      serve([], { cwd: temporaryFolder(), env: { YUBIKEY_VALIDATION: 'true', YUBIKEY_KSM: 'true' } }),
    ]);
    expect((await fetch(`${validation.url}/api/v1/keys`)).status).toBe(404);
    expect((await fetch(`${ksm.url}/api/v1/keys`)).status).toBe(401);
  });

  it('lets nobody manage keys without a token, unless an option allows it', async () => {
    const [closed, open] = await Promise.all([
      serve([], { cwd: temporaryFolder() }),
      serve(['--dangerously-manage-keys-without-token'], { cwd: temporaryFolder() }),
    ]);
    expect((await fetch(`${closed.url}/api/v1/keys`)).status).toBe(401);
    expect((await fetch(`${open.url}/api/v1/keys`)).status).toBe(200);
    const forwarded = { headers: { 'x-forwarded-for': '192.0.2.1' } };
    expect((await fetch(`${open.url}/api/v1/keys`, forwarded)).status).toBe(403);
  });

  it('uses the wsapi wording that the options ask for', async () => {
    const cwd = temporaryFolder();
    const options = ['--no-validation', '--wsapi-yubikey-ksm-wording'];
    const service = await serve(options, { cwd });
    const otp = 'cccccccccccbcccccccccccccccccccccccccccccccc';
    const answer = await fetch(`${service.url}/wsapi/decrypt/?otp=${otp}`);
    expect(await answer.text()).toBe('ERR Unknown yubikey\n');
  });

  it('refuses a URL and headers that are too long', async () => {
    const service = await serve([], { cwd: temporaryFolder() });
    expect((await fetch(`${service.url}/wsapi/2.0/verify?otp=${'c'.repeat(8300)}`)).status).toBe(414);
    expect((await fetch(`${service.url}/wsapi/2.0/verify?otp=${'c'.repeat(17_000)}`)).status).toBe(431);
  });
});
