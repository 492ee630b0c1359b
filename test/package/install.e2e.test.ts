import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SoftYubikey, type SoftYubikeyOptions } from 'passport-yubikey-otp/testing';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { Machine, ROOT, type RunOptions } from '../support/package/machine.js';
import { Registry } from '../support/package/registry.js';
import { describeWith } from '../support/programs.js';
import { run } from '../support/server/clients/run.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const OK = expect.stringMatching(/^OK vv\w{10}, usage counter \d+, session use \d+\n$/);
const REPLAYED = expect.stringMatching(/^REPLAYED_OTP: /);

/** Returns the commands of each shell block of a README, in order. */
function readCommands(readme: string): string[][] {
  const text = readFileSync(join(ROOT, readme), 'utf8');
  return [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => (block as string).trim().split('\n'));
}

let machine: Machine;
beforeAll(() => {
  machine = new Machine(inject('registry'));
});
afterAll(() => machine.remove());

const sh = (script: string, options: RunOptions) => machine.run('sh', ['-c', script], options);

/** Checks the first example of the README in an empty folder. */
async function expectToWork(bin: string): Promise<void> {
  const cwd = machine.newFolder('empty');
  expect(await sh('yubikey-otp press | tee otp | xargs yubikey-otp verify', { cwd, bin })).toMatchObject({
    code: 0,
    stdout: OK,
  });
  expect(await sh('xargs yubikey-otp verify < otp', { cwd, bin })).toMatchObject({
    code: 123,
    stdout: REPLAYED,
  });
}

/** The YubiKey as the printed `ykman` command programs it. */
function programmedBy(printed: string): SoftYubikey {
  const [, publicId, privateId, aesKey] =
    /--public-id (\S+) --private-id (\S+) --key (\S+)/.exec(printed) ?? [];
  return new SoftYubikey({ publicId, privateId, aesKey } as SoftYubikeyOptions);
}

describe('the command, installed', () => {
  it('as the README says, works as the README shows', async () => {
    const [install, press, steps] = readCommands('cli/README.md') as [string[], string[], string[]];
    const prefix = machine.newFolder('global prefix');
    const options = { bin: join(prefix, 'bin'), env: { npm_config_prefix: prefix } };

    const empty = machine.newFolder('empty');
    for (const line of install) expect(await sh(line, { ...options, cwd: empty })).toMatchObject({ code: 0 });
    expect(readdirSync(empty)).toEqual([]);
    for (const line of press) {
      expect(await sh(line, { ...options, cwd: empty })).toMatchObject({ code: 0, stdout: OK });
    }

    const cwd = machine.newFolder('first-steps');
    let stdout = '';
    for (const line of steps) {
      // The last command asks for a touch.
      const input = line.includes(' verify') ? `${programmedBy(stdout).press()}\n` : '';
      const ended = await sh(line, { ...options, cwd, input });
      expect(ended, line).toMatchObject({ code: 0 });
      stdout += ended.stdout;
    }
    expect(stdout).toMatch(/^OK vvccccifrnnb, .*\n$/m);
  });

  it('by npx, which installs it first', async () => {
    const cwd = machine.newFolder('npx');
    const pressed = await sh('npx --yes yubikey-otp press | xargs npx --yes yubikey-otp verify', { cwd });
    expect(pressed).toMatchObject({ code: 0, stdout: OK });
  });
});

describeWith('the installed service, in an empty folder', ['ykclient'], () => {
  it('sets itself up at its first start, and ykclient accepts its answers', async () => {
    const bin = dirname(inject('command'));
    const cwd = machine.newFolder('service');
    const service = machine.start('yubikey-otp', ['serve', '--port', '0'], { cwd, bin });
    onTestFinished(() => void service.kill('SIGKILL'));
    let said = '';
    service.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    service.stdout.resume();
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(/^Validation server: .*\n/m);
    const [, url] = /^Validation server: (.*)$/m.exec(said) as unknown as [string, string];
    const client = readFileSync(join(cwd, 'yubikey-otp.db.client-1'), 'utf8');
    const [, id, apiKey] = /CLIENT_ID=(\d+)\n.*API_KEY=(\S+)/.exec(client) as unknown as string[];

    const otp = (await machine.run('yubikey-otp', ['press'], { cwd, bin })).stdout.trim();
    const ask = () =>
      run('ykclient', ['--debug', '--url', url, '--apikey', apiKey as string, id as string, otp]);
    expect(await ask()).toMatchObject({ exitCode: 0 });
    expect(await ask()).toMatchObject({ exitCode: 2, output: expect.stringContaining('REPLAYED_OTP') });

    const ended = once(service, 'exit');
    service.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
});

describe('the library, installed as the README says', () => {
  let project: string;
  beforeAll(async () => {
    project = machine.newProject('project');
    const lines = readCommands('README.md').flat();
    const install = lines.find((line) => line.startsWith('npm install')) as string;
    expect(await sh(install, { cwd: project })).toMatchObject({ code: 0 });
  });

  it('can be imported and required by each of its entry points', async () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const names = Object.keys(exports).map((path) => path.replace('.', 'passport-yubikey-otp'));
    for (const name of names) {
      const attributes = name.endsWith('.json') ? ", { with: { type: 'json' } }" : '';
      for (const script of [`require('${name}')`, `import('${name}'${attributes})`]) {
        expect(await machine.run('node', ['--eval', script], { cwd: project }), script).toMatchObject({
          code: 0,
        });
      }
    }
  });

  it('is shared with the command that is installed beside it', async () => {
    await machine.npm(project, ['install', 'yubikey-otp']);
    expect(existsSync(join(project, 'node_modules/yubikey-otp/node_modules/passport-yubikey-otp'))).toBe(
      false,
    );
    await expectToWork(join(project, 'node_modules/.bin'));
  });
});

describe('the example app, copied out of the checkout', () => {
  it('is installed and starts', async () => {
    const cwd = machine.newFolder('example-app');
    const files = ['package.json', 'src', 'views', 'public'];
    for (const name of files) cpSync(join(ROOT, 'example-app', name), join(cwd, name), { recursive: true });
    await machine.npm(cwd, ['install', '--omit', 'dev']);
    const app = machine.start('node', ['--import', 'tsx', 'src/main.ts'], { cwd, env: { PORT: '0' } });
    onTestFinished(() => void app.kill('SIGKILL'));
    let said = '';
    app.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(/^Example app: http/m);
    const [, url] = /^Example app: (http\S+)$/m.exec(said) as unknown as [string, string];
    expect((await fetch(url)).status).toBe(200);
  });
});

describe('the two tarballs, with a registry that has neither', () => {
  let registry: Registry;
  let other: Machine;
  let tarballs: string[];
  beforeAll(async () => {
    registry = await Registry.start();
    other = new Machine(registry.url);
    const folder = other.newFolder('tarballs');
    const workspaces = ['--workspace', 'passport-yubikey-otp', '--workspace', 'yubikey-otp'];
    await other.npm(ROOT, ['pack', '--ignore-scripts', '--pack-destination', folder, ...workspaces]);
    tarballs = readdirSync(folder).map((name) => join(folder, name));
    expect(tarballs).toHaveLength(2);
  });
  afterAll(async () => {
    await other.remove();
    await registry.stop();
  });

  it('are installed into a project, and the command works', async () => {
    const project = other.newProject('project');
    await other.npm(project, ['install', ...tarballs]);
    await expectToWork(join(project, 'node_modules/.bin'));
  });

  it('are installed globally, and the command works', async () => {
    const prefix = other.newFolder('global prefix');
    await other.npm(prefix, ['install', '--global', '--prefix', prefix, ...tarballs]);
    await expectToWork(join(prefix, 'bin'));
  });
});

describe('the manifest that npm publishes', () => {
  it.each([
    ['passport-yubikey-otp', 'package.json'],
    ['yubikey-otp', 'cli/package.json'],
  ])('of %s is the manifest of the checkout, without corrections', async (name, path) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
    const { versions } = (await (await fetch(inject('registry') + name)).json()) as {
      versions: Record<string, object>;
    };
    expect(versions[manifest.version]).toMatchObject(manifest);
    expect(inject('published')).toContain(`+ ${name}@${manifest.version}`);
    expect(inject('published')).not.toMatch(/npm warn/i);
  });
});
