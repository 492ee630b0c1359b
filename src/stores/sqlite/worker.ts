import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { YubikeyError } from '../../errors.js';
import { SqliteConnection } from './connection.js';
import { openFile } from './driver.js';
import { failureOf, type Job, type Reply, type Request, type ThreadOptions } from './messages.js';

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
  return new SqliteConnection(database);
}

async function work(job: Job): Promise<unknown> {
  if (job[0] === 'close') {
    // Whatever comes of the database: who closes the store waits for the thread's end.
    port.close();
    return database?.close();
  }
  connection ??= open();
  if (job[0] === 'migrate') return connection.migrate();
  if (job[0] === 'run') return connection.run(job[1], job[2]);
  if (job[0] === 'findAll') return connection.findAll(job[1], job[2]);
  return connection.advance(() => job[1], job[2]);
}

port.on('message', async ([sequence, job]: Request) => {
  let reply: Reply;
  try {
    reply = [sequence, await work(job)];
  } catch (error) {
    reply = [sequence, undefined, failureOf(error)];
  }
  port.postMessage(reply);
});
