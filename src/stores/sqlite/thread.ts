import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { YubikeyError } from '../../errors.js';
import type { CallStates } from './call-states.js';
import {
  deserializeError,
  type ThreadJob,
  type ThreadOptions,
  type ThreadReply,
  type ThreadRequest,
} from './messages.js';
import { UncertainWrite } from './sqlite-faults.js';

/** Named by package.json, so that the built file is found from the sources too. */
const WORKER = '#sqlite-worker';
/** Jobs that the thread has at once. The others wait here, where they can be forgotten. */
const JOBS_AT_ONCE = 8;

interface QueuedJob {
  readonly job: ThreadJob;
  readonly callStates: CallStates;
  resolve(result: unknown): void;
  reject(error: unknown): void;
  /** Told what keeps the job from being begun. */
  waitsFor(obstacle: unknown): void;
}

/** A thread with a connection of its own, begun with its first job. It does not keep the process alive. */
export class SqliteThread {
  readonly #queue: QueuedJob[] = [];
  readonly #posted = new Map<number, QueuedJob>();
  #worker: Worker | undefined;
  #exited: Promise<void> | undefined;
  #sequence = 0; /** Why it takes no more jobs. */
  #end: YubikeyError | undefined;
  #whenIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  readonly #options: ThreadOptions; /** Milliseconds after which it is closed, whatever it does. */
  readonly #timeout: number; /** Told of what ended it, unless `close` did. */
  readonly #onFault: (error: YubikeyError) => void;

  constructor(options: ThreadOptions, timeout: number, onFault: (error: YubikeyError) => void) {
    this.#options = options;
    this.#timeout = timeout;
    this.#onFault = onFault;
  }

  /** Has no deadline of its own: a job is forgotten once all of its calls are given up. */
  async run<T>(
    job: ThreadJob,
    callStates: CallStates,
    waitsFor: (obstacle: unknown) => void = () => undefined,
  ): Promise<T> {
    if (this.#end) throw this.#end;
    return new Promise((resolve, reject) => {
      this.#forgetUnwanted();
      this.#queue.push({ job, callStates, resolve: resolve as QueuedJob['resolve'], reject, waitsFor });
      this.#post();
    });
  }

  /** Takes no more jobs; those that it has are done. */
  refuse(why: YubikeyError): void {
    this.#end ??= why;
  }

  /**
   * Ends once the jobs that it has are done.
   *
   * @throws YubikeyError `STORE_FAILED` where it hangs: it is left behind, and closes the file when it can.
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
        'A thread of SqliteStore hangs, as on a disk that does not answer, and is left behind. Node waits for its threads ' +
          "when it exits: end this process by a signal, such as process.kill(process.pid, 'SIGKILL')",
      );
    }
  }

  async #idle(): Promise<void> {
    if (this.#posted.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** Calls have one timeout, so those that came first are given up first. */
  #forgetUnwanted(): void {
    while (this.#queue[0] && !this.#queue[0].callStates.isWanted)
      this.#forget(this.#queue.shift() as QueuedJob);
  }

  #forget({ reject }: QueuedJob): void {
    reject(new Error('Nobody waits for it any more'));
  }

  #post(): void {
    while (this.#posted.size < JOBS_AT_ONCE) {
      const next = this.#queue.shift();
      if (!next) return;
      if (!next.callStates.isWanted) {
        this.#forget(next);
        continue;
      }
      this.#worker ??= this.#start();
      this.#posted.set(++this.#sequence, next);
      const request: ThreadRequest = [this.#sequence, next.job, next.callStates.states];
      this.#worker.postMessage(request);
    }
  }

  #start(): Worker {
    // What the process was started with, such as a loader, is not for this thread; that node:sqlite is new has been said.
    const worker = new Worker(workerFile(), { workerData: this.#options, execArgv: ['--no-warnings'] });
    worker.on('message', (reply: ThreadReply) => this.#receive(reply));
    worker.on('error', (error) => this.#endWith(`failed (${error.message})`, error));
    this.#exited = new Promise((resolve) => {
      worker.on('exit', (code) => {
        this.#endWith(`ended with exit code ${code}`);
        resolve();
      });
    });
    // After its listeners, of which the first one for messages undoes it.
    worker.unref();
    return worker;
  }

  #receive(reply: ThreadReply): void {
    const [, sequence] = reply;
    const order = this.#posted.get(sequence);
    if (reply[0] === 'waits') {
      order?.waitsFor(deserializeError(reply[2]));
      return;
    }
    this.#posted.delete(sequence);
    if (reply[0] === 'failed') order?.reject(deserializeError(reply[2]));
    else order?.resolve(reply[2]);
    this.#post();
    if (this.#posted.size === 0) this.#whenIdle?.();
  }

  /** What was begun and not answered may have been written or not, so nothing is tried again. */
  #endWith(how: string, cause?: unknown): void {
    const error = new YubikeyError(
      'STORE_FAILED',
      `The thread of SqliteStore ${how}: start the process anew, or make another SqliteStore`,
      { cause },
    );
    if (!this.#end) this.#onFault(error);
    this.refuse(error);
    for (const { callStates, reject } of [...this.#posted.values(), ...this.#queue]) {
      reject(callStates.hasBegun ? new UncertainWrite(error.message, error) : error);
    }
    this.#posted.clear();
    this.#queue.length = 0;
    this.#whenIdle?.();
  }
}

function workerFile(): string {
  try {
    return createRequire(import.meta.url).resolve(WORKER);
  } catch (cause) {
    throw new YubikeyError(
      'STORE_FAILED',
      'SqliteStore does not find the file of its thread: where the application is bundled, leave passport-yubikey-otp out of the bundle, or give SqliteStore an open { database }',
      { cause },
    );
  }
}
