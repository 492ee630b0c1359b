import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { YubikeyError } from '../../errors.js';
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
import type { Waiter } from './waiter.js';

/** A thread of a `SqliteStore` that was given a path: opens the file and does its jobs until it is closed. */
const port = parentPort as MessagePort;
const { driver, path } = workerData as ThreadOptions;
let database: ReturnType<typeof openSqliteFile> | undefined;
let connection: SqliteConnection | undefined;

/** In pages: 16 MB of log. SQLite's own 1,000 would let a busy service sync the whole file many times a second. */
const CHECKPOINT_AFTER = 4_000;

/** Opened by the first job, so that it is this one that fails. */
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

function runJob(job: ThreadJob, callStates: CallStates, waiter: Waiter): Promise<unknown> {
  connection ??= openConnection();
  if (job[0] === 'migrate') return connection.migrate(waiter);
  if (job[0] === 'run') return connection.run(job[1], job[2], waiter);
  if (job[0] === 'findAll') return connection.findAll(job[1], job[2], waiter);
  if (job[0] === 'probe') return connection.probe(waiter);
  return connection.advance(() => selectBegunRows(job[1], callStates), waiter);
}

/** The rows of the calls that were begun. */
function selectBegunRows(rows: string, callStates: CallStates): string {
  if (callStates.areAllBegun) return rows;
  return JSON.stringify((JSON.parse(rows) as unknown[]).filter((_, call) => callStates.isBegun(call)));
}

function post(reply: ThreadReply): void {
  port.postMessage(reply);
}

/** Whatever comes of the database: who closes the store waits for the thread's end. */
function close(): void {
  port.close();
  database?.close();
}

async function runRequest(request: ThreadRequest): Promise<void> {
  if (request === 'close') return close();
  const [sequence, job, states] = request;
  const callStates = new CallStates(states);
  let isSaid = false;
  const waiter: Waiter = {
    get isWanted() {
      return callStates.isWanted;
    },
    begin: () => callStates.begin(),
    waitsFor: (obstacle) => {
      if (!isSaid) post(['waits', sequence, serializeError(obstacle)]);
      isSaid = true;
    },
  };
  try {
    if (!callStates.isWanted) throw new Error('Nobody waits for it any more');
    post(['done', sequence, await runJob(job, callStates, waiter)]);
  } catch (error) {
    post(['failed', sequence, serializeError(error)]);
  }
}

port.on('message', (request: ThreadRequest) => void runRequest(request));
