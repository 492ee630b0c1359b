import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const path = fileURLToPath(new URL('./refused.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Compiles refused.ts as `npm run typecheck` does, with another text. */
function compile(text: string): string[] {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const host = ts.createCompilerHost(options);
  const readFile = host.readFile.bind(host);
  host.readFile = (name) => (name === path ? text : readFile(name));
  const program = ts.createProgram([path], options, host);
  return program.getSemanticDiagnostics(program.getSourceFile(path)).map(({ file, start, code }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `line ${line}: TS${code}`;
  });
}

it('each line that must not compile has the error that it states, and no other line has any', () => {
  const text = readFileSync(path, 'utf8');
  const stated = Array.from(text.split('\n').entries()).flatMap(([index, line]) => {
    const [, code] = line.match(/^\/\/ @ts-expect-error (TS\d+): ./) ?? [];
    return code === undefined ? [] : [`line ${index + 2}: ${code}`];
  });
  expect(stated).toHaveLength(text.split('@ts-expect-error').length - 1);
  expect(compile(text.replaceAll('@ts-expect-error', 'error'))).toEqual(stated);
});

it('is found out when it compiles after all', () => {
  const compiling = '// @ts-expect-error\nexport const one: number = 1;\n';
  expect(compile(compiling)).toEqual(['line 1: TS2578']);
});
