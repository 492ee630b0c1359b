import { setTimeout as sleep } from 'node:timers/promises';
import { YubikeyError } from 'passport-yubikey-otp';
import { EXIT } from './failure.js';
import { say } from './output.js';
import { within } from './within.js';

/** The process promises to end within ten seconds after the signal to stop. */
const DATABASE_MS = 7_500;
const PROCESS_MS = 9_500;
/** The time to close the database at the end of an ordinary command. */
const CLOSE_MS = 2_000;
const AT_ONCE_MS = 250;
const LAST_WORK_MS = 100;

/** The time at which the process was asked to stop. */
let stoppingAt: number | undefined;
let somethingHangs = false;

/** From now on, the process ends in time, whatever hangs. */
export function beginToStop(): void {
  stoppingAt = performance.now();
  setTimeout(killProcess, PROCESS_MS).unref();
}

/** Closes a database that may hang, such as one with a thread in a sync of the disk. */
export async function closeInTime(close: () => Promise<void>): Promise<void> {
  const left = stoppingAt === undefined ? CLOSE_MS : stoppingAt + DATABASE_MS - performance.now();
  somethingHangs = !(await isClosed(close, Math.max(0, left))) || somethingHangs;
}

/** Ends the process without waiting for the work in progress. */
export async function endAtOnce(close: () => Promise<void>): Promise<void> {
  process.exitCode = EXIT.refused;
  somethingHangs = !(await isClosed(close, AT_ONCE_MS).catch(() => true));
  await end();
}

/** Whether something was not closed in time. */
export function isHanging(): boolean {
  return somethingHangs;
}

/** Ends a command. A service no longer waits for anything; other commands end once their output has been read. */
export async function end(): Promise<void> {
  if (stoppingAt !== undefined) {
    for (let waited = 0; isPoolBusy() && waited < LAST_WORK_MS; waited += 10) await sleep(10);
    somethingHangs ||= isPoolBusy();
  }
  if (somethingHangs) {
    say(
      'Error: The process is killed, because something that it uses hangs, such as a disk or a name server',
    );
    killProcess();
  }
  if (stoppingAt !== undefined) process.exit();
}

async function isClosed(close: () => Promise<void>, milliseconds: number): Promise<boolean> {
  try {
    return await within(milliseconds, close());
  } catch (error) {
    // A store that has left a thread behind rejects with this.
    if (error instanceof YubikeyError) return false;
    throw error;
  }
}

/** Kills the process, because an ordinary end waits for every thread, however long it hangs. */
function killProcess(): void {
  process.kill(process.pid, 'SIGKILL');
  // SIGKILL does not kill the first process of a container if it comes from that process itself.
  process.abort();
}

/** Whether Node's own threads are still busy, for example with a DNS look-up. */
const isPoolBusy = () =>
  process.getActiveResourcesInfo().some((name) => /^(FSReq|GetAddrInfoReq|GetNameInfoReq)/.test(name));
