import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/package/machine.js';

let folder: string;
let tarball: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packed-command-'));
  const args = ['pack', '--ignore-scripts', '--workspace', 'cli', '--pack-destination', folder];
  execFileSync('npm', args, { cwd: ROOT, stdio: 'pipe' });
  tarball = join(folder, readdirSync(folder)[0] as string);
  execFileSync('tar', ['xzf', tarball, '-C', folder]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed tarball of the command', () => {
  it('contains the build, the licence and the README, and nothing else', () => {
    const files = readdirSync(join(folder, 'package')).sort();
    expect(files).toEqual(['LICENSE', 'README.md', 'dist', 'package.json']);
    for (const name of readdirSync(join(folder, 'package/dist'))) expect(name).toMatch(/^[\w-]+\.mjs$/);
  });

  it('depends on the library in the same version', () => {
    const { dependencies } = JSON.parse(readFileSync(join(folder, 'package/package.json'), 'utf8'));
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(dependencies['passport-yubikey-otp']).toBe(`^${version}`);
  });

  it('names an executable program with a shebang line', () => {
    const { bin } = JSON.parse(readFileSync(join(folder, 'package/package.json'), 'utf8'));
    const listed = execFileSync('tar', ['tvzf', tarball, `package/${bin['yubikey-otp']}`], {
      encoding: 'utf8',
    });
    expect(listed).toMatch(/^-rwxr-xr-x /);
    const program = readFileSync(join(folder, 'package', bin['yubikey-otp']), 'utf8');
    expect(program).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('passes publint', () => {
    execFileSync(join(ROOT, 'node_modules/.bin/publint'), ['run', tarball, '--strict'], { stdio: 'pipe' });
  });
});
