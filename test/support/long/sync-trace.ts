/** An answer, whether the WAL was written since the one before, and whether it was synced completely by then. */
export interface TracedAnswer {
  text: string;
  written: boolean;
  synced: boolean;
}

const CALL = /^(\d+) +(\w+)\((\d+)<([^>]*)>/;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>.*= 0$/;

/**
 * Reads the output of `strace -f -y` for a program that writes `OK n` to its standard output. Returns each answer, with
 * whether the WAL was written since the previous answer, and synced completely since it was last written.
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
