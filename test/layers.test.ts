import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../src', import.meta.url));

/** From the bottom to the top; what stands in src/ itself, or in a folder not named here, is the top. */
const LAYERS = ['options', 'errors', 'otp', 'protocol', 'http', 'stores', 'ksm', 'verifiers'];
/** The layers that are one file, which imports no package. */
const FILES = ['options.ts', 'errors.ts'];
const TOP = LAYERS.length;
/** What the entry points export; nothing inside imports them. */
const ENTRY = TOP + 1;

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

/** The layer of a file, by its path under src/. */
function layerOf(path: string): number {
  const [first = '', ...rest] = path.split('/');
  if (posix.basename(path) === 'index.ts' && first !== 'testing') return ENTRY;
  if (first === 'testing') return TOP - 0.5;
  const layer = LAYERS.indexOf(rest.length === 0 ? first.replace(/\.ts$/, '') : first);
  const isLayer = layer >= 0 && FILES.includes(first) === (rest.length === 0);
  return isLayer ? layer : TOP;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function importsOf(file: ts.SourceFile): Import[] {
  const imports: Import[] = [];
  const add = (specifier: ts.Node | undefined, names: string[]) => {
    if (specifier) imports.push({ from: ts.isStringLiteralLike(specifier) ? specifier.text : '?', names });
  };
  const namesOf = (bindings: ts.NamedImportBindings | ts.NamedExportBindings | undefined) =>
    bindings && (ts.isNamedImports(bindings) || ts.isNamedExports(bindings))
      ? bindings.elements.map((element) => (element.propertyName ?? element.name).text)
      : ['*'];
  walk(file, (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, namesOf(node.importClause?.namedBindings));
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, namesOf(node.exportClause));
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

function impureNamesOf(file: ts.SourceFile): string[] {
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

/** What is wrong with one file, a sentence each. */
function faultsOf(path: string, source: string): string[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const isPure = PURE.includes(path.split('/')[0] as string);
  const faults = importsOf(file).flatMap(({ from, names }) => {
    if (from.startsWith('.')) {
      const target = posix.join(posix.dirname(path), from).replace(/\.js$/, '.ts');
      const isUp = layerOf(target) > layerOf(path) || target.startsWith('..');
      return isUp ? [`${path} imports ${target}`] : [];
    }
    const isAllowed = PURE_IMPORTS[from] && names.every((name) => PURE_IMPORTS[from]?.includes(name));
    return (isPure && !isAllowed) || FILES.includes(path) || from === '?'
      ? [`${path} imports ${names} of ${from}`]
      : [];
  });
  return isPure ? [...faults, ...impureNamesOf(file).map((name) => `${path} uses ${name}`)] : faults;
}

const sources = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  .sort();

describe('the layers of src/', () => {
  it.each(sources)('%s imports only what is below it', (path) => {
    expect(faultsOf(path, readFileSync(join(root, path), 'utf8'))).toEqual([]);
  });

  it('are all there, so that the test looks at what it should', () => {
    expect(sources.length).toBeGreaterThan(20);
    for (const layer of LAYERS.slice(FILES.length)) {
      expect(
        sources.some((path) => dirname(path).startsWith(layer)),
        layer,
      ).toBe(true);
    }
  });
});

describe('the test of the layers', () => {
  it.each([
    ['otp/otp.ts', "import { STATUSES } from '../protocol/status.js';"],
    ['otp/otp.ts', "import type { Status } from '../protocol/status.js';"],
    ['otp/otp.ts', "export * from '../stores/store.js';"],
    ['otp/otp.ts', "export { Status } from '../protocol/status.js';"],
    ['otp/otp.ts', "const { KsmVerifier } = await import('../verifiers/ksm-verifier.js');"],
    ['otp/otp.ts', "type Store = import('../stores/store.js').KeyStore;"],
    ['otp/otp.ts', "import '../stores/sqlite/sqlite-store.js';"],
    ['protocol/status.ts', "import type { KeyStore } from '../stores/store.js';"],
    ['stores/sql/sql-stores.ts', "import { LocalKsm } from '../../ksm/local-ksm.js';"],
    ['http/transport.ts', "import type { Ksm } from '../ksm/ksm.js';"],
    ['ksm/local-ksm.ts', "import type { Verifier } from '../verifiers/verifier.js';"],
    ['verifiers/verifier.ts', "import { YubikeyStrategy } from '../passport/strategy.js';"],
    ['verifiers/cloud/cloud-fault.ts', "import { idOf } from '../../passport/user-id.js';"],
    ['verifiers/verifier.ts', "import { ksmListener } from '../server/ksm/ksm-listener.js';"],
    ['verifiers/verifier.ts', "import { SqliteStore } from '../stores/index.js';"],
    ['passport/strategy.ts', "import { KsmVerifier } from '../index.js';"],
    ['testing/soft-yubikey.ts', "import { YubikeyStrategy } from '../passport/strategy.js';"],
    ['ksm/ksm.ts', "import { SoftYubikey } from '../testing/soft-yubikey.js';"],
    ['passport/strategy.ts', "import packageJson from '../../package.json';"],
    ['errors.ts', "import { randomUUID } from 'node:crypto';"],
    ['errors.ts', "import type { Status } from './protocol/status.js';"],
    ['options.ts', "import { inspect } from 'node:util';"],
    ['options.ts', "import { YubikeyError } from './errors.js';"],
    ['otp/token.ts', "import { readFileSync } from 'node:fs';"],
    ['otp/token.ts', "import { randomBytes } from 'node:crypto';"],
    ['otp/token.ts', "import { randomBytes as createHmac } from 'node:crypto';"],
    ['otp/token.ts', "import * as crypto from 'node:crypto';"],
    ['otp/token.ts', "import crypto from 'node:crypto';"],
    ['otp/token.ts', "import { request } from 'undici';"],
    ['protocol/status.ts', "const net = require('node:net');"],
    ['protocol/status.ts', "const net = process.getBuiltinModule('node:net');"],
    ['protocol/status.ts', 'await import(anything);'],
    ['protocol/status.ts', 'const at = Date.now();'],
    ['protocol/status.ts', 'const at = new Date();'],
    ['protocol/status.ts', 'const nonce = Math.random();'],
    ['protocol/status.ts', 'setTimeout(() => {}, 1);'],
    ['protocol/status.ts', 'if (process.env.DEBUG) throw 1;'],
  ])('finds fault in %s with: %s', (path, source) => {
    expect(faultsOf(path, source)).not.toEqual([]);
  });

  it.each([
    ['passport/strategy.ts', "import { KsmVerifier } from '../verifiers/ksm-verifier.js';"],
    ['index.ts', "export { YubikeyStrategy } from './passport/strategy.js';"],
    ['server/ksm/ksm-listener.ts', "import { LocalKsm } from '../../ksm/local-ksm.js';"],
    ['verifiers/cloud/cloud-fault.ts', "import { YubikeyError } from '../../errors.js';"],
    ['errors.ts', "import { assertOptions } from './options.js';"],
    ['verifiers/sequence.ts', "import type { Verifier } from './verifier.js';"],
    ['ksm/remote/remote-ksm.ts', "import { Transport } from '../../http/transport.js';"],
    ['stores/memory-store.ts', "import { randomUUID } from 'node:crypto';"],
    ['testing/soft-yubikey.ts', "import { KsmVerifier } from '../verifiers/ksm-verifier.js';"],
    ['otp/token.ts', "import { createCipheriv as cipher, createDecipheriv } from 'node:crypto';"],
    ['protocol/validation-response.ts', 'const format = (at: Date) => at.toISOString();'],
  ])('finds none in %s with: %s', (path, source) => {
    expect(faultsOf(path, source)).toEqual([]);
  });
});
