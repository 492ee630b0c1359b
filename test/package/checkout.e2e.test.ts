import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Machine, ROOT } from '../support/package/machine.js';

const MANIFESTS = [
  'package.json',
  'cli/package.json',
  'docs/recipes/package.json',
  'example-app/package.json',
];

const read = (path: string) => JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
const DEPENDENCIES = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'];

describe('the checkout, before its packages are published', () => {
  it.each(MANIFESTS)('%s has no dependency outside the registry', (path) => {
    const manifest = read(path);
    const ranges = DEPENDENCIES.flatMap((kind) => Object.values<string>(manifest[kind] ?? {}));
    expect(
      ranges.filter((range) => /^(file|link|workspace|portal|git.*|https?):|^[./~]*\//.test(range)),
    ).toEqual([]);
  });

  it.each(MANIFESTS.slice(1))('%s depends on the current version of the library', (path) => {
    expect(read(path).dependencies['passport-yubikey-otp']).toBe(`^${read('package.json').version}`);
  });

  it('has a lock file without hosts, in which the packages of this checkout are links', () => {
    const packages = Object.entries<{ resolved?: string | undefined }>(read('package-lock.json').packages);
    const taken = packages.flatMap(([path, { resolved }]) =>
      resolved === undefined ? [] : [[path, resolved]],
    );
    expect(Object.fromEntries(taken)).toEqual({
      'node_modules/example-app': 'example-app',
      'node_modules/passport-yubikey-otp': '',
      'node_modules/recipes': 'docs/recipes',
      'node_modules/yubikey-otp': 'cli',
    });
  });

  it('is installed by npm ci, which does not request its own packages from a registry', async () => {
    const machine = new Machine('http://127.0.0.1:9/');
    onTestFinished(() => machine.remove());
    const clone = machine.newFolder('clone');
    for (const path of [...MANIFESTS, 'package-lock.json']) cpSync(join(ROOT, path), join(clone, path));
    await machine.npm(clone, ['ci', '--dry-run', '--offline']);
  });
});
