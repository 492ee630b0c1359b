import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { YubikeyError } from '../../errors.js';
import { errorOf, type Job, type Reply, type Request, type ThreadOptions } from './messages.js';

/** Named by package.json, so that the built file is found from the sources too. */
const WORKER = '#sqlite-worker';

interface Call {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** A thread with a connection of its own, begun with its first job. It keeps the process alive while a job is not done. */
export class SqliteThread {
  private readonly calls = new Map<number, Call>();
  private worker: Worker | undefined;
  private exited: Promise<void> | undefined;
  private sequence = 0;
  /** Why it takes no more jobs. */
  private end: YubikeyError | undefined;
  private whenIdle: (() => void) | undefined;
  private closing: Promise<void> | undefined;

  /** `onFault` is told of what ended it, unless `close` did. */
  constructor(
    private readonly options: ThreadOptions,
    private readonly onFault: (error: YubikeyError) => void,
  ) {}

  async call<T>(job: Job): Promise<T> {
    if (this.end) throw this.end;
    this.worker ??= this.start();
    const { worker } = this;
    return new Promise((resolve, reject) => {
      const request: Request = [++this.sequence, job];
      worker.postMessage(request);
      if (this.calls.size === 0) worker.ref();
      this.calls.set(this.sequence, { resolve: resolve as Call['resolve'], reject });
    });
  }

  /** Takes no more jobs; those that it has are done. */
  refuse(why: YubikeyError): void {
    this.end ??= why;
  }

  /** Ends once the jobs that it has are done. */
  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    this.refuse(new YubikeyError('STORE_FAILED', 'This SqliteStore is closed'));
    const { worker } = this;
    if (!worker) return;
    if (this.calls.size > 0) {
      await new Promise<void>((resolve) => {
        this.whenIdle = resolve;
      });
    }
    worker.ref();
    worker.postMessage([0, ['close']] satisfies Request);
    await this.exited;
  }

  private start(): Worker {
    // What the process was started with, such as a loader, is not for this thread; that node:sqlite is new has been said.
    const worker = new Worker(workerFile(), { workerData: this.options, execArgv: ['--no-warnings'] });
    worker.unref();
    worker.on('message', (reply: Reply) => this.settle(reply));
    worker.on('error', (error) => this.endWith(`failed (${error.message})`, error));
    this.exited = new Promise((resolve) => {
      worker.on('exit', (code) => {
        this.endWith(`ended with exit code ${code}`);
        resolve();
      });
    });
    return worker;
  }

  private settle([sequence, result, failure]: Reply): void {
    const call = this.calls.get(sequence);
    this.calls.delete(sequence);
    if (failure) call?.reject(errorOf(failure));
    else call?.resolve(result);
    if (this.calls.size > 0) return;
    this.worker?.unref();
    this.whenIdle?.();
  }

  /** What was not answered may have been written or not, so nothing is tried again. */
  private endWith(how: string, cause?: unknown): void {
    const error = new YubikeyError(
      'STORE_FAILED',
      `The thread of SqliteStore ${how}: start the process anew, or make another SqliteStore`,
      { cause },
    );
    if (!this.end) this.onFault(error);
    this.refuse(error);
    for (const { reject } of this.calls.values()) reject(error);
    this.calls.clear();
    this.whenIdle?.();
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
