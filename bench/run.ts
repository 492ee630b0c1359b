import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Runs all benchmarks, or the named ones, one after another in separate processes. */
const folder = new URL('.', import.meta.url);
const all = readdirSync(folder)
  .filter((name) => name.endsWith('.bench.ts'))
  .map((name) => name.slice(0, -'.bench.ts'.length));
const named = process.argv.slice(2);
const unknown = named.filter((name) => !existsSync(new URL(`${name}.bench.ts`, folder)));
if (unknown.length > 0) {
  console.error(`Unknown benchmark: ${unknown.join(', ')}. Benchmarks: ${all.join(', ')}`);
  process.exit(2);
}
const failed = (named.length > 0 ? named : all).filter((name) => {
  const file = fileURLToPath(new URL(`${name}.bench.ts`, folder));
  return spawnSync(process.execPath, ['--import', 'tsx', file], { stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) console.error(`Failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
