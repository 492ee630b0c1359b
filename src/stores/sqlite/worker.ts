import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { YubikeyError } from '../../errors.js';
import type { Callers } from '../callers.js';
import { CallStates } from './call-states.js';
import { SqliteConnection } from './connection.js';
import { openSqliteFile } from './driver.js';
import {
  serializeError,
  type ThreadJob,
  type ThreadOptions,
  type ThreadReply,
  type ThreadRequest,
} from './messages.js';

/** A thread of a `SqliteStore` with a path: opens the file, and does its jobs until it is closed. */
const port = parentPort as MessagePort;
const { driver, path } = workerData as ThreadOptions;
let database: ReturnType<typeof openSqliteFile> | undefined;
let connection: SqliteConnection | undefined;

/** In pages: 16 MB of log. With SQLite's default of 1,000, a busy service would sync the whole file many times a second. */
const CHECKPOINT_AFTER = 4_000;

/** Opened for the first job, so that this job fails if the file cannot be opened. */
function openConnection(): SqliteConnection {
  try {
    database = openSqliteFile(driver, path);
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_AFTER}`);
  } catch (error) {
    const reason = (error as Error).message;
    throw new YubikeyError('STORE_FAILED', `${driver.name} cannot open the SQLite file ${path}: ${reason}`);
  }
  return new SqliteConnection(database, path);
}

function runJob(job: ThreadJob, callStates: CallStates, callers: Callers): Promise<unknown> {
  connection ??= openConnection();
  if (job[0] === 'migrate') return connection.migrate(callers);
  if (job[0] === 'run') return connection.run(job[1], job[2], callers);
  if (job[0] === 'findAll') return connection.findAll(job[1], job[2], callers);
  if (job[0] === 'probe') return connection.probe(callers);
  return connection.advance(() => selectBegunRows(job[1], callStates), callers);
}

/** Selects the rows of the calls that have begun. */
function selectBegunRows(rows: string, callStates: CallStates): string {
  if (callStates.areAllBegun) return rows;
  return JSON.stringify((JSON.parse(rows) as unknown[]).filter((_, call) => callStates.isBegun(call)));
}

function post(reply: ThreadReply): void {
  port.postMessage(reply);
}

/** Closes the port first, even if closing the database then fails: `close()` of the store waits for this thread to end. */
function close(): void {
  port.close();
  database?.close();
}

/** The callers of a job, who wait in another thread. */
class DistantCallers implements Callers {
  #hasPostedObstacle = false;
  readonly #sequence: number;
  readonly #states: CallStates;

  constructor(sequence: number, states: CallStates) {
    this.#sequence = sequence;
    this.#states = states;
  }

  get isWanted(): boolean {
    return this.#states.isWanted;
  }

  beginWrite(): boolean {
    return this.#states.begin();
  }

  waitsFor(obstacle: unknown): void {
    if (!this.#hasPostedObstacle) post(['waits', this.#sequence, serializeError(obstacle)]);
    this.#hasPostedObstacle = true;
  }
}

async function runRequest(request: ThreadRequest): Promise<void> {
  if (request === 'close') return close();
  const [sequence, job, states] = request;
  const callStates = new CallStates(states);
  try {
    if (!callStates.isWanted) throw new Error('The caller no longer waits for it');
    post(['done', sequence, await runJob(job, callStates, new DistantCallers(sequence, callStates))]);
  } catch (error) {
    post(['failed', sequence, serializeError(error)]);
  }
}

port.on('message', (request: ThreadRequest) => void runRequest(request));
