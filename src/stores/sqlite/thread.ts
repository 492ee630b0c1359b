import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { YubikeyError } from '../../errors.js';
import type { Callers } from '../callers.js';
import type { CallStates } from './call-states.js';
import {
  deserializeError,
  type ThreadJob,
  type ThreadOptions,
  type ThreadReply,
  type ThreadRequest,
} from './messages.js';
import { Uncertain } from './sqlite-faults.js';

/** Resolved by package.json, so that the built file is found from the sources too. */
const WORKER = '#sqlite-worker';
/** Jobs that are posted to the thread at once. The others wait in the queue, where they can be dropped. */
const JOBS_AT_ONCE = 8;

interface QueuedJob {
  readonly job: ThreadJob;
  readonly callStates: CallStates;
  readonly callers: Pick<Callers, 'waitsFor'> | undefined;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** A thread with its own connection, started for its first job. It does not keep the process alive. */
export class SqliteThread<in Job extends ThreadJob> {
  readonly #queue: QueuedJob[] = [];
  readonly #posted = new Map<number, QueuedJob>();
  #worker: Worker | undefined;
  #exited: Promise<void> | undefined;
  #sequence = 0;
  /** The reason why it accepts no more jobs. */
  #end: YubikeyError | undefined;
  #whenIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  readonly #options: ThreadOptions;
  /** Milliseconds that `close` waits for the thread. */
  readonly #timeout: number;
  /** Called with the error that ended the thread, unless `close` ended it. */
  readonly #onFault: (error: YubikeyError) => void;

  constructor(options: ThreadOptions, timeout: number, onFault: (error: YubikeyError) => void) {
    this.#options = options;
    this.#timeout = timeout;
    this.#onFault = onFault;
  }

  /** Runs a job, without a deadline: the job is dropped once all of its calls are given up. */
  async run<T>(job: Job, callStates: CallStates, callers?: QueuedJob['callers']): Promise<T> {
    if (this.#end) throw this.#end;
    return new Promise((resolve, reject) => {
      this.#dropUnwanted();
      this.#queue.push({ job, callStates, resolve: resolve as QueuedJob['resolve'], reject, callers });
      this.#post();
    });
  }

  /** Accepts no more jobs. Those it already has are still done. */
  refuse(why: YubikeyError): void {
    this.#end ??= why;
  }

  /**
   * Ends the thread once its jobs are done.
   *
   * @throws YubikeyError `STORE_FAILED` if it hangs: it is left running, and closes the file when it can.
   */
  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish(): Promise<void> {
    this.refuse(new YubikeyError('STORE_FAILED', 'This SqliteStore is closed'));
    const worker = this.#worker;
    if (!worker) return;
    const abort = new AbortController();
    const late = sleep(this.#timeout, 'late', abort).catch(() => undefined);
    await Promise.race([this.#idle(), late]);
    worker.postMessage('close' satisfies ThreadRequest);
    const how = await Promise.race([this.#exited, late]);
    abort.abort();
    if (how === 'late') {
      throw new YubikeyError(
        'STORE_FAILED',
        'A thread of SqliteStore hangs, for example on a disk that does not respond, and is left running. Node waits for its ' +
          "threads when it exits, so end this process with a signal, such as process.kill(process.pid, 'SIGKILL')",
      );
    }
  }

  async #idle(): Promise<void> {
    if (this.#posted.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** All calls have the same timeout, so the ones that came first are given up first. */
  #dropUnwanted(): void {
    while (this.#queue[0] && !this.#queue[0].callStates.isWanted)
      this.#drop(this.#queue.shift() as QueuedJob);
  }

  #drop({ reject }: QueuedJob): void {
    reject(new Error('The caller no longer waits for it'));
  }

  #post(): void {
    while (this.#posted.size < JOBS_AT_ONCE) {
      const next = this.#queue.shift();
      if (!next) return;
      if (!next.callStates.isWanted) {
        this.#drop(next);
        continue;
      }
      this.#worker ??= this.#start();
      this.#posted.set(++this.#sequence, next);
      const request: ThreadRequest = [this.#sequence, next.job, next.callStates.states];
      this.#worker.postMessage(request);
    }
  }

  #start(): Worker {
    // The flags of the process, such as a loader, are not for this thread. The warning about node:sqlite need not be repeated.
    const worker = new Worker(findWorkerFile(), { workerData: this.#options, execArgv: ['--no-warnings'] });
    worker.on('message', (reply: ThreadReply) => this.#receive(reply));
    worker.on('error', (error) => this.#endWith(`failed (${error.message})`, error));
    this.#exited = new Promise((resolve) => {
      worker.on('exit', (code) => {
        this.#endWith(`ended with exit code ${code}`);
        resolve();
      });
    });
    // After the listeners were added, since the first one for messages would undo it.
    worker.unref();
    return worker;
  }

  #receive(reply: ThreadReply): void {
    const [, sequence] = reply;
    const order = this.#posted.get(sequence);
    if (reply[0] === 'waits') {
      order?.callers?.waitsFor(deserializeError(reply[2]));
      return;
    }
    this.#posted.delete(sequence);
    if (reply[0] === 'failed') order?.reject(deserializeError(reply[2]));
    else order?.resolve(reply[2]);
    this.#post();
    if (this.#posted.size === 0) this.#whenIdle?.();
  }

  /** Calls that had begun and were not answered may have been written or not, so nothing is retried. */
  #endWith(how: string, cause?: unknown): void {
    const error = new YubikeyError(
      'STORE_FAILED',
      `The thread of SqliteStore ${how}: restart the process, or create another SqliteStore`,
      { cause },
    );
    if (!this.#end) this.#onFault(error);
    this.refuse(error);
    for (const { callStates, reject } of [...this.#posted.values(), ...this.#queue]) {
      reject(callStates.hasBegun ? new Uncertain(error.message, error) : error);
    }
    this.#posted.clear();
    this.#queue.length = 0;
    this.#whenIdle?.();
  }
}

function findWorkerFile(): string {
  try {
    return createRequire(import.meta.url).resolve(WORKER);
  } catch (cause) {
    throw new YubikeyError(
      'STORE_FAILED',
      'SqliteStore cannot find the file of its worker thread: in a bundled application, keep passport-yubikey-otp out of the bundle, or give SqliteStore an open { database }',
      { cause },
    );
  }
}
