import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Machine, ROOT } from '../support/package/machine.js';

const TYPES = ['@types/node', '@types/express', '@types/passport'];
const MODULES = join(ROOT, 'node_modules');

/** Returns the size of all files in a folder, in bytes. */
function measureFolder(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => statSync(join(folder, path)))
    .filter((entry) => entry.isFile())
    .reduce((sum, { size }) => sum + size, 0);
}

let machine: Machine;
/** A user's project, with the packed tarball and the user's own dependencies installed. */
let project: string;
let tarball: string;

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const bin = (name: string) => join(MODULES, '.bin', name);

beforeAll(async () => {
  machine = new Machine(inject('registry'));
  project = machine.newProject('packed');
  const [packed] = JSON.parse(
    (await machine.npm(ROOT, ['pack', '--ignore-scripts', '--json', '--pack-destination', project])).stdout,
  );
  tarball = join(project, packed.filename);
  cpSync(fileURLToPath(new URL('../support/package/fixtures', import.meta.url)), project, {
    recursive: true,
  });
  await machine.npm(project, ['install', tarball, 'passport', 'express', ...TYPES]);
}, 120_000);

afterAll(() => machine.remove());

describe('the packed tarball', () => {
  it('contains the build, the licence and the texts, and nothing else', () => {
    const files = run('tar', 'tzf', tarball).trim().split('\n');
    const others = files.filter((file) => !file.startsWith('package/dist/')).sort();
    expect(others).toEqual([
      'package/CHANGELOG.md',
      'package/LICENSE',
      'package/README.md',
      'package/package.json',
    ]);
  });

  it('depends only on undici and passport-strategy', () => {
    const { dependencies } = JSON.parse(
      readFileSync(join(project, 'node_modules/passport-yubikey-otp/package.json'), 'utf8'),
    );
    expect(Object.keys(dependencies).sort()).toEqual(['passport-strategy', 'undici']);
  });

  it('installs no more than 4 packages and 3 MB, dependencies included', () => {
    const installed = new Set(['passport-yubikey-otp']);
    let bytes = 0;
    for (const name of installed) {
      const folder = join(project, 'node_modules', name);
      const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      for (const dependency of Object.keys(dependencies)) installed.add(dependency);
      bytes += measureFolder(folder);
    }
    expect(installed.size).toBeLessThanOrEqual(4);
    expect(bytes).toBeLessThanOrEqual(3_000_000);
  });

  it.each([
    ['passport-yubikey-otp', ['passport-strategy']],
    ['passport-yubikey-otp/protocol', []],
    ['passport-yubikey-otp/stores', []],
    ['passport-yubikey-otp/server', []],
    ['passport-yubikey-otp/testing', []],
  ])('%s loads no packages other than %j', (entryPoint, needed) => {
    const alone = mkdtempSync(join(tmpdir(), 'packed-alone-'));
    const modules = join(alone, 'node_modules');
    mkdirSync(modules);
    for (const name of ['passport-yubikey-otp', ...needed]) {
      cpSync(join(project, 'node_modules', name), join(modules, name), {
        recursive: true,
        dereference: true,
      });
    }
    const load = (kind: string, program: string) =>
      execFileSync(process.execPath, [`--input-type=${kind}`, '--eval', program], {
        cwd: alone,
        stdio: 'pipe',
      });
    load('module', `import '${entryPoint}'`);
    load('commonjs', `require('${entryPoint}')`);
    rmSync(alone, { recursive: true });
  });

  it.each(['protocol.mjs', 'protocol.cjs'])(
    'has %s, which needs nothing of Node.js but its crypto',
    (entry) => {
      const dist = join(project, 'node_modules/passport-yubikey-otp/dist');
      const files = new Set([entry]);
      const needed = new Set<string>();
      for (const file of files) {
        const loads = readFileSync(join(dist, file), 'utf8').matchAll(
          /(?:from |import |require\()"([^"]+)"/g,
        );
        for (const [, name = ''] of loads)
          (name.startsWith('./') ? files : needed).add(name.replace('./', ''));
      }
      expect([...needed]).toEqual(['node:crypto']);
    },
  );

  it('is imported from ESM', () => {
    expect(run(process.execPath, 'use.mjs')).toContain('ESM works');
  });

  it('is required from CommonJS', () => {
    expect(run(process.execPath, 'use.cjs')).toContain('CommonJS works');
  });

  it.each(['cjs', 'esm'])(
    'works in an esbuild bundle in %s, and explains there what a SQLite path needs',
    (format) => {
      const bundle = `bundle.${format === 'cjs' ? 'cjs' : 'mjs'}`;
      const options = ['--bundle', '--platform=node', `--format=${format}`, '--log-level=error'];
      run(bin('esbuild'), 'bundled.mjs', ...options, `--outfile=${bundle}`);
      // A folder without this package.
      const alone = mkdtempSync(join(tmpdir(), 'bundle-'));
      mkdirSync(join(alone, 'node_modules'));
      symlinkSync(join(MODULES, 'libsql'), join(alone, 'node_modules', 'libsql'));
      cpSync(join(project, bundle), join(alone, bundle));
      const said = execFileSync(process.execPath, [bundle], { cwd: alone, encoding: 'utf8' });
      expect(said).toMatch(/^The other stores work\n.*keep passport-yubikey-otp out of the bundle/);
      rmSync(alone, { recursive: true });
    },
  );

  it('can be used from TypeScript as ESM, as CommonJS and as both, with its types checked', () => {
    const options = [
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--skipLibCheck',
      'false',
      '--types',
      'node',
    ];
    try {
      run(bin('tsc'), ...options, 'typed.mts', 'typed.cts', 'mixed.mts');
    } catch (error) {
      throw new Error((error as { stdout: string }).stdout);
    }
    expect(run(process.execPath, 'typed.mjs')).toContain('TypeScript works as ESM');
    expect(run(process.execPath, 'typed.cjs')).toContain('TypeScript works as CommonJS');
    expect(run(process.execPath, 'mixed.mjs')).toContain('TypeScript works with both builds');
  }, 60_000);

  it('passes publint and "Are the types wrong?"', () => {
    expect(existsSync(tarball)).toBe(true);
    run(bin('publint'), 'run', tarball, '--strict');
    run(bin('attw'), tarball, '--no-color');
  }, 60_000);
});
