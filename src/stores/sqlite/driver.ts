import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';

/** An open SQLite database: `DatabaseSync` of `node:sqlite`, or a `Database` of `libsql` or `better-sqlite3`. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

export interface SqliteStatement {
  // biome-ignore lint/suspicious/noExplicitAny: each driver types its parameters in its own way
  all(...parameters: any[]): unknown[];
}

/** Drivers of SQLite, in order of preference. */
const DRIVERS = ['node:sqlite', 'libsql', 'better-sqlite3'] as const;

export type SqliteDriver = (typeof DRIVERS)[number];

/** A driver, and the module to load for it. */
export interface FoundDriver {
  readonly name: SqliteDriver;
  readonly module: string;
}

type OpenFile = new (path: string) => SqliteDatabase & { close(): void };

/**
 * Finds a driver without loading it: the named one, or the first that is available.
 *
 * @throws TypeError if there is none.
 */
export function findDriver(wanted: SqliteDriver | undefined): FoundDriver {
  if (wanted !== undefined && !DRIVERS.includes(wanted)) {
    throw new TypeError(`SqliteStore knows the drivers ${DRIVERS.join(', ')}, not ${wanted}`);
  }
  for (const name of wanted === undefined ? DRIVERS : [wanted]) {
    const module = name === 'node:sqlite' ? findBuiltIn(name) : findInstalled(name);
    if (module !== undefined) return { name, module };
  }
  throw new TypeError(
    `SqliteStore cannot find ${wanted ?? 'a driver'}: npm install ${wanted === 'better-sqlite3' ? wanted : 'libsql'}, ` +
      'or run Node 22.16 or later, which has node:sqlite',
  );
}

export function openSqliteFile({ name, module }: FoundDriver, path: string): InstanceType<OpenFile> {
  const loaded = requireHere()(module);
  const Database: OpenFile = name === 'node:sqlite' ? loaded.DatabaseSync : loaded;
  return new Database(path);
}

/** Finds `node:sqlite` only if it reports whether a transaction is open, as it does from Node 22.16 on. */
function findBuiltIn(name: 'node:sqlite'): string | undefined {
  try {
    const { DatabaseSync } = process.getBuiltinModule(name) as { DatabaseSync: OpenFile };
    const database = new DatabaseSync(':memory:');
    const reportsTransaction = 'isTransaction' in database && typeof database.isTransaction === 'boolean';
    database.close();
    return reportsTransaction ? name : undefined;
  } catch {
    return undefined;
  }
}

function findInstalled(name: SqliteDriver): string | undefined {
  for (const requireFrom of [requireHere, requireFromProgram]) {
    try {
      return requireFrom().resolve(name);
    } catch {
      // It may be installed elsewhere.
    }
  }
  return undefined;
}

/** Created only when needed: a CommonJS bundle has no `import.meta.url`, and all other stores work there. */
const requireHere = () => createRequire(import.meta.url);

/** Under package managers that let a package load only its own dependencies, finds those of the application. */
const requireFromProgram = () => createRequire(realpathSync(process.argv[1] as string));
