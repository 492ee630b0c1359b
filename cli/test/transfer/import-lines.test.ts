import { MemoryStore } from 'passport-yubikey-otp/stores';
import { describe, expect, it } from 'vitest';
import { dryRunCounters, dryRunRecords } from '../../src/transfer/dry-run.js';
import { importLines, type LineProblem, type Outcome } from '../../src/transfer/import-lines.js';

async function* entries(values: readonly string[]) {
  for (const [at, value] of values.entries()) yield { line: at + 1, parsed: { entry: value } };
}

describe('importLines', () => {
  it('applies entries at the same time, but entries with the same id one after another', async () => {
    const running = new Map<string, number>();
    let most = 0;
    const apply = async (entry: string): Promise<Outcome> => {
      running.set(entry, (running.get(entry) ?? 0) + 1);
      expect(running.get(entry)).toBe(1);
      most = Math.max(most, running.size);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running.delete(entry);
      return { tally: 'added' };
    };
    const values = Array.from({ length: 500 }, (_, at) => String(at % 150));
    const tallies = await importLines({
      lines: entries(values),
      toId: (id) => id,
      apply,
      onProblem: () => expect.fail(),
    });
    expect(tallies).toEqual({ added: 500 });
    expect(most).toBe(100);
  });

  it('reports problems in the order of the lines, whichever is found first', async () => {
    const problems: LineProblem[] = [];
    const apply = async (entry: string): Promise<Outcome> => {
      await new Promise((resolve) => setTimeout(resolve, entry === 'slow' ? 20 : 0));
      return { tally: 'refused', problem: entry };
    };
    await importLines({
      lines: entries(['slow', 'fast']),
      toId: (id) => id,
      apply,
      onProblem: (problem) => problems.push(problem),
    });
    expect(problems.map(({ reason }) => reason)).toEqual(['slow', 'fast']);
  });

  it('fails if the database fails, and leaves no unhandled rejection', async () => {
    const apply = async (entry: string): Promise<Outcome> => {
      if (Number(entry) % 2 === 0) throw new Error('the database is gone');
      return { tally: 'added' };
    };
    const lines = entries(['1', '2', '3', '4']);
    await expect(
      importLines({ lines, toId: (id) => id, apply, onProblem: () => expect.fail() }),
    ).rejects.toThrow('gone');
  });
});

describe('a dry run', () => {
  const key = (publicId: string, fill: number) => ({ publicId, aesKey: Buffer.alloc(16, fill) });

  it('of keys behaves as the import, and adds nothing', async () => {
    const { keys } = new MemoryStore();
    await keys.add(key('vv', 1));
    const dryRun = dryRunRecords(keys, keys, new MemoryStore().keys, ({ publicId }) => publicId);
    expect(await dryRun.add(key('vv', 2))).toBe(false);
    expect(await dryRun.add(key('cc', 3))).toBe(true);
    expect(await dryRun.add(key('cc', 4))).toBe(false);
    expect((await dryRun.get('cc'))?.aesKey[0]).toBe(3);
    expect((await dryRun.get('vv'))?.aesKey[0]).toBe(1);
    expect((await keys.list()).records).toHaveLength(1);
  });

  it('of counters behaves as the import, and raises nothing', async () => {
    const { counters } = new MemoryStore();
    const at = (usageCounter: number) => ({ usageCounter, sessionUse: 0, timestamp: 0 });
    await counters.advance('vv', at(5));
    const dryRun = dryRunCounters(counters);
    for (const [id, usageCounter, advanced] of [
      ['vv', 5, false],
      ['vv', 6, true],
      ['vv', 6, false],
      ['cc', 1, true],
    ] as const) {
      expect(await dryRun.advance(id, at(usageCounter))).toMatchObject({ advanced });
    }
    expect(await counters.get('vv')).toMatchObject({ usageCounter: 5 });
    expect(await counters.get('cc')).toBeUndefined();
  });
});
