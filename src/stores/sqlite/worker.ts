import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { YubikeyError } from '../../errors.js';
import { SqliteConnection } from './connection.js';
import { openFile } from './driver.js';
import { failureOf, type Job, type Reply, type Request, type ThreadOptions } from './messages.js';
import { Starts } from './starts.js';
import type { Waiter } from './waiter.js';

/** A thread of a `SqliteStore` that was given a path: opens the file and does its jobs until it is closed. */
const port = parentPort as MessagePort;
const { driver, path } = workerData as ThreadOptions;
let database: ReturnType<typeof openFile> | undefined;
let connection: SqliteConnection | undefined;

/** In pages: 16 MB of log. SQLite's own 1,000 would let a busy service sync the whole file many times a second. */
const CHECKPOINT_AFTER = 4_000;

/** Opened by the first job, so that it is this one that fails. */
function open(): SqliteConnection {
  try {
    database = openFile(driver, path);
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_AFTER}`);
  } catch (error) {
    const reason = (error as Error).message;
    throw new YubikeyError('STORE_FAILED', `${driver.name} cannot open the SQLite file ${path}: ${reason}`);
  }
  return new SqliteConnection(database, path);
}

function work(job: Job, starts: Starts, waiter: Waiter): Promise<unknown> {
  connection ??= open();
  if (job[0] === 'migrate') return connection.migrate(waiter);
  if (job[0] === 'run') return connection.run(job[1], job[2], waiter);
  if (job[0] === 'findAll') return connection.findAll(job[1], job[2], waiter);
  if (job[0] === 'probe') return connection.probe(waiter);
  return connection.advance(() => begunOf(job[1], starts), waiter);
}

/** The rows of the calls that were begun. */
function begunOf(rows: string, starts: Starts): string {
  if (starts.areAllBegun) return rows;
  return JSON.stringify((JSON.parse(rows) as unknown[]).filter((_, call) => starts.isBegun(call)));
}

function post(reply: Reply): void {
  port.postMessage(reply);
}

/** Whatever comes of the database: who closes the store waits for the thread's end. */
function close(): void {
  port.close();
  database?.close();
}

async function answer(request: Request): Promise<void> {
  if (request === 'close') return close();
  const [sequence, job, states] = request;
  const starts = new Starts(states);
  let isSaid = false;
  const waiter: Waiter = {
    get isWanted() {
      return starts.isWanted;
    },
    begin: () => starts.begin(),
    waitsFor: (obstacle) => {
      if (!isSaid) post(['waits', sequence, failureOf(obstacle)]);
      isSaid = true;
    },
  };
  try {
    if (!starts.isWanted) throw new Error('Nobody waits for it any more');
    post(['done', sequence, await work(job, starts, waiter)]);
  } catch (error) {
    post(['failed', sequence, failureOf(error)]);
  }
}

port.on('message', (request: Request) => void answer(request));
