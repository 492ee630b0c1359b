import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/check-names.mjs', import.meta.url));

/** Runs the script on a repository of these files. */
function checkNames(files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'names-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const path of ['src', 'cli/src', 'example-app/src'])
    mkdirSync(join(folder, path), { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return { status, faults: stdout.split('\n').filter((line) => line !== '') };
}

it('check-names finds names that are declared twice, names in Of, private members and files beside their folders', () => {
  const { status, faults } = checkNames({
    'src/answers.ts': 'export interface Answer {}\nconst hidden = 1;\nexport const { a, b: [settings] } = x;',
    'src/answers/race.ts': 'type Answer = 1;\nfunction settings() {}\nexport { type Answer, settings };\n',
    'cli/src/a.ts': 'export class Answer {\n  private x = 1;\n  readonly #y = 2;\n}\n',
    'cli/src/b.ts':
      'function faultOf(rowOf: string) {}\nconst one = { verdictOf() {} };\ninterface KeyOf {}\n',
    'cli/src/c.ts': 'class Store {\n  constructor(private readonly path: string) {}\n  #idOf = 1;\n}\n',
    'example-app/src/a.ts': 'export function run() {}\nexport default function () {}\n',
    'example-app/src/b.ts': 'export async function run() {}\n',
  });
  expect(status).toBe(1);
  expect(faults).toEqual(
    [
      'Answer is exported by src/answers.ts and src/answers/race.ts',
      'settings is exported by src/answers.ts and src/answers/race.ts',
      'run is exported by example-app/src/a.ts and example-app/src/b.ts',
      'src/answers.ts stands beside the folder src/answers/',
      'cli/src/a.ts:2 x is private, but not with #',
      'cli/src/c.ts:2 path is private, but not with #',
      ...['1 faultOf', '1 rowOf', '2 verdictOf', '3 KeyOf'].map(
        (place) => `cli/src/b.ts:${place} is not a verb or a noun that can be searched for`,
      ),
      'cli/src/c.ts:3 #idOf is not a verb or a noun that can be searched for',
    ].sort(),
  );
});

it('check-names passes what is declared once, and passed on elsewhere', () => {
  const { status, faults } = checkNames({
    'src/index.ts': "export { Answer } from './answer.js';\nexport * from './answer.js';\n",
    'src/again.ts': "import { Answer } from './answer.js';\nexport { Answer };\n",
    'src/answer.ts':
      'export type Answer = 1;\nexport const Answer = 1;\nconst at = [1].indexOf(1);\nexport type AddressOf = () => string;\n',
    'src/passport/strategy.ts': 'export class Strategy {\n  private readonly lookup = 1;\n}\n',
    'cli/src/store.ts': 'class Store {\n  private constructor() {}\n}\n',
    'cli/src/answer.ts': 'export type Answer = 2;\ninterface Options { addressOf?: AddressOf }\n',
  });
  expect(faults).toEqual([]);
  expect(status).toBe(0);
});
