import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { fixture } from '../support/long/child.js';
import { describeWith } from '../support/programs.js';
import { drivers, temporaryFile } from '../support/stores/sqlite-drivers.js';

const SYNC_MS = 500;

const mayTrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0;

/**
 * Runs `advance-and-watch` with every sync delayed by {@link SYNC_MS}. Returns the medians of what it measured: a busy
 * machine delays the event loop now and then.
 */
function watch(driver: string, where: 'here' | 'in threads'): { longestGap: number; ms: number } {
  const syncs = 'fsync,fdatasync';
  const strace = [
    '-f',
    '-o',
    '/dev/null',
    '-e',
    `trace=${syncs}`,
    '-e',
    `inject=${syncs}:delay_enter=${SYNC_MS}ms`,
  ];
  const program = [process.execPath, '--import', 'tsx', fixture('advance-and-watch'), temporaryFile()];
  const { stdout, stderr } = spawnSync('strace', [...strace, ...program, driver, where], {
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  const measured: { longestGap: number; ms: number }[] = JSON.parse(stdout);
  return {
    longestGap: takeMedian(measured.map(({ longestGap }) => longestGap)),
    ms: takeMedian(measured.map(({ ms }) => ms)),
  };
}

function takeMedian(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}

describeWith('On a disk whose syncs take half a second', ['strace'], () => {
  if (!mayTrace) {
    it.skip('cannot be tested here: strace is not permitted (ptrace)', () => undefined);
    return;
  }

  describe.each(drivers)('SqliteStore through $name', ({ name: driver }) => {
    it('with a path never blocks the event loop for a sync', () => {
      const { longestGap, ms } = watch(driver, 'in threads');
      expect(ms).toBeGreaterThanOrEqual(SYNC_MS);
      expect(longestGap).toBeLessThan(SYNC_MS / 2);
    });

    it('with an open database blocks it for one: the measurement can fail', () => {
      expect(watch(driver, 'here').longestGap).toBeGreaterThanOrEqual(SYNC_MS);
    });
  });
});
