/** Whether an answer was given after what it rests on was written to the WAL, and that was on disk. */
export interface TracedAnswer {
  text: string;
  written: boolean;
  synced: boolean;
}

const CALL = /^(\d+) +(\w+)\((\d+)<([^>]*)>/;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>.*= 0$/;

/**
 * Reads what `strace -f -y` wrote of a program that writes `OK n` to its standard output: each answer, and
 * whether the WAL was written since the answer before, and synced completely since it was last written.
 */
export function parseTracedAnswers(trace: string): TracedAnswer[] {
  const answers: TracedAnswer[] = [];
  const pending = new Map<string, number>();
  let [writes, syncedWrites, writesAtLastAnswer] = [0, 0, 0];
  for (const line of trace.split('\n')) {
    const [, resumedThread] = RESUMED.exec(line) ?? [];
    if (resumedThread) syncedWrites = Math.max(syncedWrites, pending.get(resumedThread) ?? 0);
    const [, thread = '', call = '', descriptor, path = ''] = CALL.exec(line) ?? [];
    const isWal = path.endsWith('-wal');
    if (isWal && /^pwrite/.test(call)) writes++;
    if (isWal && /^f(data)?sync$/.test(call)) {
      if (line.includes('<unfinished')) pending.set(thread, writes);
      else if (line.endsWith('= 0')) syncedWrites = writes;
    }
    const [, text] = /, "(OK \d+)\\n"/.exec(line) ?? [];
    if (descriptor === '1' && text) {
      answers.push({ text, written: writes > writesAtLastAnswer, synced: syncedWrites === writes });
      writesAtLastAnswer = writes;
    }
  }
  return answers;
}
