import { setTimeout as sleep } from 'node:timers/promises';
import { YubikeyError } from 'passport-yubikey-otp';
import { EXIT } from './failure.js';
import { say } from './output.js';
import { within } from './within.js';

/** Ten seconds are promised from the signal to stop to the end of the process. */
const DATABASE_MS = 7_500;
const PROCESS_MS = 9_500;
/** Where nothing asked it to stop. */
const CLOSE_MS = 2_000;
const AT_ONCE_MS = 250;
const LAST_WORK_MS = 100;

/** When the process was asked to stop. */
let stoppingAt: number | undefined;
let somethingHangs = false;

/** Has the process end in time from now on, whatever hangs. */
export function beginToStop(): void {
  stoppingAt = performance.now();
  setTimeout(killProcess, PROCESS_MS).unref();
}

/** Closes what may hang, such as a thread in a sync of the disk. */
export async function closeInTime(close: () => Promise<void>): Promise<void> {
  const left = stoppingAt === undefined ? CLOSE_MS : stoppingAt + DATABASE_MS - performance.now();
  somethingHangs = !(await isClosed(close, Math.max(0, left))) || somethingHangs;
}

/** Ends the process without waiting for what it is at. */
export async function endAtOnce(close: () => Promise<void>): Promise<void> {
  process.exitCode = EXIT.refused;
  somethingHangs = !(await isClosed(close, AT_ONCE_MS).catch(() => true));
  await end();
}

/** Whether something was not closed in time. */
export function isHanging(): boolean {
  return somethingHangs;
}

/** The end of a command. A service waits for nothing any more; all others end when what they wrote was taken. */
export async function end(): Promise<void> {
  if (stoppingAt !== undefined) {
    for (let waited = 0; isPoolBusy() && waited < LAST_WORK_MS; waited += 10) await sleep(10);
    somethingHangs ||= isPoolBusy();
  }
  if (somethingHangs) {
    say('Error: The process is killed, since something hangs that it uses, such as a disk or a name server');
    killProcess();
  }
  if (stoppingAt !== undefined) process.exit();
}

async function isClosed(close: () => Promise<void>, milliseconds: number): Promise<boolean> {
  try {
    return await within(milliseconds, close());
  } catch (error) {
    // What a store says that has left a thread behind.
    if (error instanceof YubikeyError) return false;
    throw error;
  }
}

/** An ordinary end waits for every thread, however long it hangs. */
function killProcess(): void {
  process.kill(process.pid, 'SIGKILL');
  // The first process of a container is not killed by its own SIGKILL.
  process.abort();
}

/** Whether the threads of Node itself still work at something, such as a look-up of a host's name. */
const isPoolBusy = () =>
  process.getActiveResourcesInfo().some((name) => /^(FSReq|GetAddrInfoReq|GetNameInfoReq)/.test(name));
