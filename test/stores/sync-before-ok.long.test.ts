import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fixture } from '../support/long/child.js';
import { repetitions } from '../support/long/repetitions.js';
import { parseTracedAnswers } from '../support/long/sync-trace.js';
import { describeWith } from '../support/programs.js';
import { drivers, missingDrivers, temporaryFile } from '../support/stores/sqlite-drivers.js';

const TIMES = repetitions(1500, 200);

const mayTrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0;

function traceVerifications({
  driver = 'libsql',
  where = 'here',
  pragma = '',
  atOnce = 1,
  times = TIMES,
}): string {
  const path = temporaryFile();
  const log = `${path}.strace`;
  const strace = ['-f', '-y', '-o', log, '-e', 'trace=write,writev,pwrite64,pwritev,fsync,fdatasync'];
  const program = [process.execPath, '--import', 'tsx', fixture('verify-and-say')];
  execFileSync(
    'strace',
    [...strace, ...program, path, driver, where, pragma, String(times), String(atOnce)],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return readFileSync(log, 'utf8');
}

const unsynced = (trace: string) => parseTracedAnswers(trace).filter(({ synced }) => !synced);

describeWith('The WAL of SQLite', ['strace'], () => {
  if (!mayTrace) {
    it.skip('cannot be traced here: strace is not permitted (ptrace)', () => undefined);
    return;
  }

  describe.each(drivers)('through $name', ({ name: driver }) => {
    it.each([
      ['one after another', {}],
      ['16 at once', { atOnce: 16 }],
      ['200 at once, more than one batch', { atOnce: 200 }],
      ['with a checkpoint every few commits', { pragma: 'wal_autocheckpoint = 3' }],
      ['in threads, one after another', { where: 'in threads' }],
      ['in threads, 200 at once', { where: 'in threads', atOnce: 200 }],
    ])('is synced before an OTP is answered OK: %s', (_, options) => {
      const answers = parseTracedAnswers(traceVerifications({ driver, ...options }));
      expect(answers.length).toBeGreaterThanOrEqual(TIMES);
      expect(answers.filter(({ synced }) => !synced)).toEqual([]);
      const withoutWrite = answers.filter(({ written }) => !written);
      if ('atOnce' in options) expect(withoutWrite.length).toBeGreaterThan(answers.length / 2);
      else expect(withoutWrite).toEqual([]);
      console.log(`${driver}: ${answers.length} answers, the WAL was synced before each`);
    });

    it.each(['synchronous = OFF', 'synchronous = NORMAL'])(
      'is seen not to be synced with %s: the trace can fail',
      (pragma) => {
        const trace = traceVerifications({ driver, pragma, times: 50 });
        expect(parseTracedAnswers(trace)).toHaveLength(50);
        expect(unsynced(trace)).toHaveLength(50);
      },
    );
  });

  for (const reason of missingDrivers) it.skip(`through a driver that is not available: ${reason}`, () => {});
});

describe('the reading of a trace', () => {
  const WAL = '</tmp/x.db-wal>';
  const OK = '7 write(1<pipe:[1]>, "OK 1\\n", 5) = 5';
  it.each([
    ['a sync after the write', true, ['7 pwrite64(9W, "x", 1, 0) = 1', '7    fdatasync(9W) = 0', OK]],
    ['no sync', false, ['7 pwrite64(9W, "x", 1, 0) = 1', OK]],
    ['a sync before the write', false, ['7 fdatasync(9W) = 0', '7 pwrite64(9W, "x", 1, 0) = 1', OK]],
    ['a sync of another file', false, ['7 pwrite64(9W, "x", 1, 0) = 1', '7 fdatasync(8</tmp/x.db>) = 0', OK]],
    ['a sync that failed', false, ['7 pwrite64(9W, "x", 1, 0) = 1', '7 fdatasync(9W) = -1 EIO (Input)', OK]],
    ['an unfinished sync', false, ['7 pwrite64(9W, "x", 1, 0) = 1', '8 fsync(9W <unfinished ...>', OK]],
    [
      'a sync that another thread finished',
      true,
      ['7 pwrite64(9W, "x", 1, 0) = 1', '8 fsync(9W <unfinished ...>', '8 <... fsync resumed>) = 0', OK],
    ],
    [
      'a write during the sync',
      false,
      ['8 fsync(9W <unfinished ...>', '7 pwrite64(9W, "x", 1, 0) = 1', '8 <... fsync resumed>) = 0', OK],
    ],
  ])('%s: synced is %s', (_, synced, lines) => {
    const trace = lines.join('\n').replaceAll('9W', `9${WAL}`);
    expect(parseTracedAnswers(trace)).toEqual([{ text: 'OK 1', written: true, synced }]);
  });
});
