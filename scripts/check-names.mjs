#!/usr/bin/env node
// The rules about names that no linter has. Prints what breaks them, and exits 1:
//
// - An exported name is declared in one file of a package, so that a search for it finds one thing.
// - No function, variable or type is called `somethingOf`: verbs and nouns can be searched for.
// - Private members are `#private`; a constructor, which cannot have a #, may be private.
// - No file stands beside a folder of its own name.
//
//   node scripts/check-names.mjs [folder]    of this repository, or of one elsewhere
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url));
const PACKAGES = ['src', 'cli/src', 'example-app/src'];
/** Of the public API. */
const PUBLIC_NAMES = ['addressOf', 'AddressOf', 'masterKeyIdOf'];
/** Passport calls a strategy through Object.create(strategy), where `#private` members throw. */
const WITH_PRIVATE = ['src/passport/strategy.ts'];

const files = PACKAGES.flatMap((name) => listSources(name));
const faults = [
  ...PACKAGES.flatMap(findNamesDeclaredTwice),
  ...files.flatMap(findBadNames),
  ...files.flatMap(findFoldersBeside),
].sort();
for (const fault of faults) console.log(fault);
process.exitCode = faults.length > 0 ? 1 : 0;

function listSources(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

function parse(path) {
  return ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest, true);
}

function findNamesDeclaredTwice(folder) {
  const places = new Map();
  for (const path of listSources(folder)) {
    for (const name of listExports(parse(path))) places.set(name, [...(places.get(name) ?? []), path]);
  }
  return Array.from(places)
    .filter(([, paths]) => paths.length > 1)
    .map(([name, paths]) => `${name} is exported by ${paths.join(' and ')}`);
}

/** The names that a file declares and exports; names that it only passes on do not count. */
function listExports(file) {
  const imported = new Set(file.statements.flatMap(listImports));
  const names = file.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) {
      const isPassedOn =
        statement.moduleSpecifier !== undefined || !ts.isNamedExports(statement.exportClause);
      return isPassedOn ? [] : statement.exportClause.elements.map(({ name }) => name.text);
    }
    const isExported = ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(isExportKeyword);
    if (!isExported) return [];
    if (!ts.isVariableStatement(statement)) return statement.name ? [statement.name.text] : [];
    return statement.declarationList.declarations.flatMap(({ name }) => listBindings(name));
  });
  // A set, since overloads repeat a name, as do a type and a value.
  return new Set(names.filter((name) => !imported.has(name)));
}

function listImports(statement) {
  const bindings = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : undefined;
  return bindings && ts.isNamedImports(bindings) ? bindings.elements.map(({ name }) => name.text) : [];
}

function isExportKeyword({ kind }) {
  return kind === ts.SyntaxKind.ExportKeyword;
}

function listBindings(name) {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? listBindings(element.name) : []));
}

function findBadNames(path) {
  const file = parse(path);
  const found = [];
  const at = (node) => `${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
  const visit = (node) => {
    const name = ts.isImportSpecifier(node) || ts.isExportSpecifier(node) ? undefined : node.name;
    if (name && (ts.isIdentifier(name) || ts.isPrivateIdentifier(name)) && isDeclaration(node)) {
      if (/[a-z\d]Of$/.test(name.text) && !PUBLIC_NAMES.includes(name.text)) {
        found.push(`${at(name)} ${name.text} is not a verb or a noun that can be searched for`);
      }
    }
    const isPrivate = ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(isPrivateKeyword);
    if (isPrivate && !ts.isConstructorDeclaration(node) && !WITH_PRIVATE.includes(path)) {
      found.push(`${at(node)} ${name.getText()} is private, but not with #`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** `a.indexOf` is somebody else's name. */
function isDeclaration(node) {
  return !ts.isPropertyAccessExpression(node) && !ts.isMetaProperty(node) && !ts.isJsxAttribute(node);
}

function isPrivateKeyword({ kind }) {
  return kind === ts.SyntaxKind.PrivateKeyword;
}

function findFoldersBeside(path) {
  const folder = path.replace(/[.]ts$/, '');
  return existsSync(join(root, folder)) ? [`${path} stands beside the folder ${folder}/`] : [];
}
