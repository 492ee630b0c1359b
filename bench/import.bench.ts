import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Contestant, compare, median, ratio } from './compare.js';
import { keepReport } from './report.js';

/** Measures how long a new process takes to load an entry point: the import itself, and the whole process. */
const PROCESSES = 15;
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Loads modules one after another. Each must export the function of the given name. */
function contestant(name: string, modules: Readonly<Record<string, string>>): Contestant {
  const program = `
    const before = performance.now();
    ${Object.keys(modules)
      .map((module, at) => `const m${at} = await import('${module}');`)
      .join('\n')}
    const milliseconds = performance.now() - before;
    for (const found of [${Object.values(modules).map((name, at) => `m${at}.${name}`)}]) {
      if (typeof found !== 'function') throw new Error('an export is missing');
    }
    console.log(milliseconds);`;
  const load = async () => {
    const before = performance.now();
    const args = ['--input-type=module', '--eval', program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
    return { imported: Number(stdout), ended: performance.now() - before };
  };
  return {
    name,
    async measure() {
      const loads: Awaited<ReturnType<typeof load>>[] = [];
      while (loads.length < PROCESSES) loads.push(await load());
      return {
        'import, ms': median(loads.map(({ imported }) => imported)),
        'process, ms': median(loads.map(({ ended }) => ended)),
      };
    },
  };
}

const entryPoint = (path: string, name: string) =>
  contestant(`passport-yubikey-otp${path}`, { [`passport-yubikey-otp${path}`]: name });

const dependencies = contestant('undici and passport-strategy', {
  undici: 'request',
  'passport-strategy': 'Strategy',
});
const ours = entryPoint('', 'YubikeyStrategy');
const withUndici = contestant('passport-yubikey-otp, and undici as CloudVerifier loads it', {
  'passport-yubikey-otp': 'YubikeyStrategy',
  undici: 'request',
});
const others = [entryPoint('/stores', 'SqliteStore'), entryPoint('/server', 'validationListener')];
const nothing = contestant('limit: a process that imports nothing', {});

const measured = await compare([dependencies, ours, withUndici, ...others, nothing]);
keepReport({
  bench: 'import',
  measured,
  goals: [ours, withUndici].flatMap(({ name }) =>
    ['import, ms', 'process, ms'].map((figure) => ({
      what: `${name}: ${figure}, of ${dependencies.name}`,
      reached: ratio(measured, figure, name, dependencies.name),
      atMost: 1.3,
    })),
  ),
});
