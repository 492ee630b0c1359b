import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const SRC = fileURLToPath(new URL('../../../src/', import.meta.url));
const ENTRIES = [
  'index.ts',
  'protocol/index.ts',
  'stores/index.ts',
  'server/index.ts',
  'testing/index.ts',
].map((entry) => SRC + entry);

/** A part of the public API that takes an object whose type this package declares. */
export interface Door {
  /** Such as `CloudVerifier`, `CloudVerifier.verify`, `SqliteStore.keys.list`, `KsmVerifier.delayTolerance`. */
  readonly name: string;
  /** The name of the type; `__type` if it has none. */
  readonly takes: string;
  /** The names of the type's properties. */
  readonly properties: readonly string[];
}

/** The parameters of every class, function and method of the entry points, and the properties of options. */
export function readDoors(): Door[] {
  const program = createProgram(ENTRIES);
  const checker = program.getTypeChecker();
  const doors: Door[] = [];

  function addType(name: string, type: ts.Type): void {
    for (const found of objectsIn(type)) {
      const properties = checker.getPropertiesOfType(found);
      const takes = found.symbol.name;
      doors.push({ name, takes, properties: properties.map((property) => property.name) });
      if (!takes.endsWith('Options')) continue;
      for (const property of properties)
        addType(`${name}.${property.name}`, checker.getTypeOfSymbol(property));
    }
  }

  function addParameters(name: string, signatures: readonly ts.Signature[]): void {
    for (const parameter of signatures.flatMap(({ parameters }) => parameters)) {
      addType(name, checker.getTypeOfSymbol(parameter));
    }
  }

  function addMembers(name: string, type: ts.Type): void {
    for (const member of checker.getPropertiesOfType(type)) {
      if (!isOurs(member) || !isPublic(member)) continue;
      const memberType = checker.getTypeOfSymbol(member);
      addParameters(`${name}.${member.name}`, memberType.getCallSignatures());
      for (const found of objectsIn(memberType)) addMembers(`${name}.${member.name}`, found);
    }
  }

  for (const entry of ENTRIES) {
    for (const symbol of listExports(program, entry)) {
      const type = checker.getTypeOfSymbol(symbol);
      addParameters(symbol.name, [...type.getCallSignatures(), ...type.getConstructSignatures()]);
      if (!(symbol.flags & ts.SymbolFlags.Class)) continue;
      addMembers(symbol.name, checker.getDeclaredTypeOfSymbol(symbol));
      addMembers(symbol.name, type);
    }
  }
  return doors;
}

/** Leaves out the types of packages, which are not ours and take seconds to read. */
function createProgram(files: readonly string[]): ts.Program {
  const options = { module: ts.ModuleKind.NodeNext, strict: true, lib: ['lib.es5.d.ts'], types: [] };
  const host = ts.createCompilerHost(options);
  const isFile = host.fileExists;
  host.fileExists = (path) => !path.includes('/node_modules/') && isFile(path);
  return ts.createProgram(files, options, host);
}

/** The classes, functions and constants that a file exports. */
function listExports(program: ts.Program, path: string): ts.Symbol[] {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(path) as ts.SourceFile) as ts.Symbol;
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .filter(({ flags }) => flags & ts.SymbolFlags.Value);
}

/** The types of objects in a type that this package declares. */
function objectsIn(type: ts.Type): ts.Type[] {
  if (type.isUnion()) return type.types.flatMap(objectsIn);
  // In `Options & { passReqToCallback: true }`, the second part is only for the compiler.
  if (type.isIntersection())
    return type.types.flatMap(objectsIn).filter(({ symbol }) => symbol.name !== '__type');
  const isObject = type.symbol?.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.TypeLiteral);
  return isObject && isOurs(type.symbol) && type.getCallSignatures().length === 0 ? [type] : [];
}

function isOurs({ declarations = [] }: ts.Symbol): boolean {
  return declarations.some((declaration) => declaration.getSourceFile().fileName.startsWith(SRC));
}

function isPublic({ declarations = [] }: ts.Symbol): boolean {
  return declarations.every((declaration) => {
    const name = ts.getNameOfDeclaration(declaration);
    const isHidden = name !== undefined && ts.isPrivateIdentifier(name);
    return !isHidden && !(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private);
  });
}
