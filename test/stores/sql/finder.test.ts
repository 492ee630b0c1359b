import { describe, expect, it } from 'vitest';
import { Finder } from '../../../src/stores/sql/finder.js';

const foundRow = (sql: string, id: string) => ({ found: `${id} by ${sql}` });

function createRecordingFinder() {
  const messages: [string, number][] = [];
  const finder = new Finder<string>(async (sql, ids) => {
    messages.push([sql, ids.length]);
    if (sql === 'BROKEN') throw new Error('no answer');
    return ids.map((id) => (id === 'none' ? undefined : foundRow(sql, id)));
  });
  return { messages, finder };
}

describe('Finder', () => {
  it('sends one message per statement for the calls of one turn, and resolves each with its own row', async () => {
    const { messages, finder } = createRecordingFinder();
    const found = [finder.find('KEY', 'a'), finder.find('CLIENT', '1'), finder.find('KEY', 'none')];
    queueMicrotask(() => found.push(finder.find('KEY', 'a')));
    await Promise.resolve();
    expect(await Promise.all(found)).toEqual([
      foundRow('KEY', 'a'),
      foundRow('CLIENT', '1'),
      undefined,
      foundRow('KEY', 'a'),
    ]);
    expect(messages).toEqual([
      ['KEY', 3],
      ['CLIENT', 1],
    ]);
  });

  it('asks again in the next turn, and caches nothing', async () => {
    const { messages, finder } = createRecordingFinder();
    await finder.find('KEY', 'a');
    await finder.find('KEY', 'a');
    expect(messages).toHaveLength(2);
  });

  it('sends at most 128 ids in one message', async () => {
    const { messages, finder } = createRecordingFinder();
    const ids = Array.from({ length: 300 }, (_, n) => `id ${n}`);
    const rows = await Promise.all(ids.map((id) => finder.find('KEY', id)));
    expect(rows).toEqual(ids.map((id) => foundRow('KEY', id)));
    expect(messages.map(([, length]) => length)).toEqual([128, 128, 44]);
  });

  it('rejects all calls of a message that failed, and no others', async () => {
    const { finder } = createRecordingFinder();
    const outcomes = await Promise.allSettled([
      finder.find('BROKEN', 'a'),
      finder.find('KEY', 'a'),
      finder.find('BROKEN', 'b'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
  });
});
