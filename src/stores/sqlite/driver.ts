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

/** What speaks to SQLite, in the order in which it is looked for. */
const DRIVERS = ['node:sqlite', 'libsql', 'better-sqlite3'] as const;

export type SqliteDriver = (typeof DRIVERS)[number];

/** A driver, and the module that is it. */
export interface FoundDriver {
  readonly name: SqliteDriver;
  readonly module: string;
}

type OpenFile = new (path: string) => SqliteDatabase & { close(): void };

/**
 * Looks for a driver, which is opened by nobody yet: the named one, or the first that there is.
 *
 * @throws TypeError where there is none.
 */
export function findDriver(wanted: SqliteDriver | undefined): FoundDriver {
  if (wanted !== undefined && !DRIVERS.includes(wanted)) {
    throw new TypeError(`SqliteStore knows the drivers ${DRIVERS.join(', ')}, not ${wanted}`);
  }
  for (const name of wanted === undefined ? DRIVERS : [wanted]) {
    const module = name === 'node:sqlite' ? builtIn(name) : installed(name);
    if (module !== undefined) return { name, module };
  }
  throw new TypeError(
    `SqliteStore does not find ${wanted ?? 'a driver'}: npm install ${wanted === 'better-sqlite3' ? wanted : 'libsql'}, ` +
      'or run Node 22.16 or later, which has node:sqlite',
  );
}

export function openSqliteFile({ name, module }: FoundDriver, path: string): InstanceType<OpenFile> {
  const loaded = requireHere()(module);
  const Database: OpenFile = name === 'node:sqlite' ? loaded.DatabaseSync : loaded;
  return new Database(path);
}

/** It must tell whether a transaction is open, as it does from Node 22.16 on. */
function builtIn(name: 'node:sqlite'): string | undefined {
  try {
    const { DatabaseSync } = process.getBuiltinModule(name) as { DatabaseSync: OpenFile };
    const database = new DatabaseSync(':memory:');
    const tells = 'isTransaction' in database && typeof database.isTransaction === 'boolean';
    database.close();
    return tells ? name : undefined;
  } catch {
    return undefined;
  }
}

function installed(name: SqliteDriver): string | undefined {
  for (const requireFrom of [requireHere, requireOfProgram]) {
    try {
      return requireFrom().resolve(name);
    } catch {
      // It may be installed elsewhere.
    }
  }
  return undefined;
}

/** Made when it is needed: a CommonJS bundle has no `import.meta.url`, and all other stores work there. */
const requireHere = () => createRequire(import.meta.url);

/** Where a package finds only what it names itself, the application finds what it has installed. */
const requireOfProgram = () => createRequire(realpathSync(process.argv[1] as string));
