import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare, median } from './compare.js';
import { keepReport } from './report.js';

/** Measures what `npm install` of the packed package adds to an empty project. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));

function install(folder: string): void {
  const npm = (cwd: string, ...args: string[]) => execFileSync('npm', args, { cwd, encoding: 'utf8' });
  const [{ filename }] = JSON.parse(
    npm(ROOT, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder),
  );
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', `./${filename}`);
}

const ours = {
  name: 'passport-yubikey-otp',
  async measure() {
    const folder = mkdtempSync(join(tmpdir(), 'bench-install-'));
    try {
      install(folder);
      const modules = join(folder, 'node_modules');
      const lock = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'));
      const entries = readdirSync(modules, { recursive: true, encoding: 'utf8' }).map((path) =>
        statSync(join(modules, path)),
      );
      const files = entries.filter((entry) => entry.isFile());
      return {
        packages: Object.keys(lock.packages).length,
        files: files.length,
        'MB of files': files.reduce((sum, { size }) => sum + size, 0) / 1e6,
        'MB on disk, in blocks': entries.reduce((sum, { blocks }) => sum + blocks * 512, 0) / 1e6,
      };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

const measured = await compare([ours], 1);
const goal = (figure: string, atMost: number) => ({
  what: figure,
  reached: median((measured[ours.name] ?? []).map((figures) => figures[figure] as number)),
  atMost,
});
keepReport({
  bench: 'install',
  measured,
  goals: [goal('packages', 4), goal('MB of files', 3), goal('MB on disk, in blocks', 3)],
});
