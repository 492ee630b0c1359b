import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../src', import.meta.url));

const PURE = ['otp', 'protocol'];
const PURE_IMPORTS: Record<string, string[]> = {
  'node:crypto': ['createHmac', 'timingSafeEqual', 'createCipheriv', 'createDecipheriv'],
};
const IMPURE_NAMES =
  /^(process|global|globalThis|performance|crypto|fetch|require|set(Timeout|Interval|Immediate)|queueMicrotask|console)$/;
const IMPURE_MEMBERS = /^(Date\.now|Math\.random)$/;

interface Import {
  from: string;
  names: string[];
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function listImports(file: ts.SourceFile): Import[] {
  const imports: Import[] = [];
  const add = (specifier: ts.Node | undefined, names: string[]) => {
    if (specifier) imports.push({ from: ts.isStringLiteralLike(specifier) ? specifier.text : '?', names });
  };
  const readNames = (bindings: ts.NamedImportBindings | ts.NamedExportBindings | undefined) =>
    bindings && (ts.isNamedImports(bindings) || ts.isNamedExports(bindings))
      ? bindings.elements.map((element) => (element.propertyName ?? element.name).text)
      : ['*'];
  walk(file, (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, readNames(node.importClause?.namedBindings));
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, readNames(node.exportClause));
    else if (ts.isImportEqualsDeclaration(node)) add(node.moduleReference, ['*']);
    else if (ts.isImportTypeNode(node)) add((node.argument as ts.LiteralTypeNode).literal, ['*']);
    else if (ts.isCallExpression(node) && isLoader(node.expression)) add(node.arguments[0], ['*']);
  });
  return imports;
}

function isLoader(expression: ts.Expression): boolean {
  return (
    expression.kind === ts.SyntaxKind.ImportKeyword ||
    /^(require|getBuiltinModule)$/.test(expression.getText())
  );
}

function listImpureNames(file: ts.SourceFile): string[] {
  const found: string[] = [];
  walk(file, (node) => {
    const text = node.getText();
    const isMemberName =
      node.parent && ts.isPropertyAccessExpression(node.parent) && node.parent.name === node;
    if (ts.isPropertyAccessExpression(node) && IMPURE_MEMBERS.test(text)) found.push(text);
    if (ts.isNewExpression(node) && /^new Date(\(\))?$/.test(text)) found.push(text);
    if (ts.isIdentifier(node) && !isMemberName && IMPURE_NAMES.test(text)) found.push(text);
  });
  return found;
}

/** The impurities of one file, a sentence each. */
function findFaults(path: string, source: string): string[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const isPure = PURE.includes(path.split('/')[0] as string);
  const faults = listImports(file).flatMap(({ from, names }) => {
    const isAllowed =
      from.startsWith('.') ||
      (PURE_IMPORTS[from] && names.every((name) => PURE_IMPORTS[from]?.includes(name)));
    // dependency-cruiser cannot follow an import whose name is computed, so none may have one.
    return (isPure && !isAllowed) || from === '?' ? [`${path} imports ${names} of ${from}`] : [];
  });
  return isPure ? [...faults, ...listImpureNames(file).map((name) => `${path} uses ${name}`)] : faults;
}

const sources = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  .sort();

describe('src/otp/ and src/protocol/', () => {
  it.each(sources)('%s uses no clock, no randomness and nothing outside the process', (path) => {
    expect(findFaults(path, readFileSync(join(root, path), 'utf8'))).toEqual([]);
  });

  it('are there, so that the test reads the files it should', () => {
    expect(sources.length).toBeGreaterThan(20);
    for (const folder of PURE) {
      expect(
        sources.some((path) => dirname(path) === folder),
        folder,
      ).toBe(true);
    }
  });
});

describe('the test of purity', () => {
  it.each([
    ['otp/token.ts', "import { readFileSync } from 'node:fs';"],
    ['otp/token.ts', "import { randomBytes } from 'node:crypto';"],
    ['otp/token.ts', "import { randomBytes as createHmac } from 'node:crypto';"],
    ['otp/token.ts', "import * as crypto from 'node:crypto';"],
    ['otp/token.ts', "import crypto from 'node:crypto';"],
    ['otp/token.ts', "import { request } from 'undici';"],
    ['protocol/status.ts', "const net = require('node:net');"],
    ['protocol/status.ts', "const net = process.getBuiltinModule('node:net');"],
    ['protocol/status.ts', 'await import(anything);'],
    ['passport/strategy.ts', 'await import(anything);'],
    ['protocol/status.ts', 'const at = Date.now();'],
    ['protocol/status.ts', 'const at = new Date();'],
    ['protocol/status.ts', 'const nonce = Math.random();'],
    ['protocol/status.ts', 'setTimeout(() => {}, 1);'],
    ['protocol/status.ts', 'if (process.env.DEBUG) throw 1;'],
  ])('finds fault in %s with: %s', (path, source) => {
    expect(findFaults(path, source)).not.toEqual([]);
  });

  it.each([
    ['passport/strategy.ts', "import { KsmVerifier } from '../verifiers/ksm-verifier.js';"],
    ['stores/memory-store.ts', "import { randomUUID } from 'node:crypto';"],
    ['otp/token.ts', "import { createCipheriv as cipher, createDecipheriv } from 'node:crypto';"],
    ['otp/otp.ts', "import { YubikeyError } from '../errors.js';"],
    ['protocol/validation-response.ts', 'const format = (at: Date) => at.toISOString();'],
  ])('finds none in %s with: %s', (path, source) => {
    expect(findFaults(path, source)).toEqual([]);
  });
});
