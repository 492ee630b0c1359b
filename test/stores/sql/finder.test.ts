import { describe, expect, it } from 'vitest';
import { Finder } from '../../../src/stores/sql/finder.js';

const foundRow = (sql: string, id: string) => ({ found: `${id} by ${sql}` });

function finderThatRemembers() {
  const messages: [string, number][] = [];
  const finder = new Finder(async (sql, ids) => {
    messages.push([sql, ids.length]);
    if (sql === 'BROKEN') throw new Error('no answer');
    return ids.map((id) => (id === 'none' ? undefined : foundRow(sql, id)));
  });
  return { messages, finder };
}

describe('Finder', () => {
  it('lets the calls of one turn share a message for each statement, and gives each its own row', async () => {
    const { messages, finder } = finderThatRemembers();
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

  it('asks anew in the next turn, and keeps nothing', async () => {
    const { messages, finder } = finderThatRemembers();
    await finder.find('KEY', 'a');
    await finder.find('KEY', 'a');
    expect(messages).toHaveLength(2);
  });

  it('sends no more than 128 in one message', async () => {
    const { messages, finder } = finderThatRemembers();
    const ids = Array.from({ length: 300 }, (_, n) => `id ${n}`);
    const rows = await Promise.all(ids.map((id) => finder.find('KEY', id)));
    expect(rows).toEqual(ids.map((id) => foundRow('KEY', id)));
    expect(messages.map(([, length]) => length)).toEqual([128, 128, 44]);
  });

  it('rejects all in a message that failed, and none besides', async () => {
    const { finder } = finderThatRemembers();
    const outcomes = await Promise.allSettled([
      finder.find('BROKEN', 'a'),
      finder.find('KEY', 'a'),
      finder.find('BROKEN', 'b'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
  });
});
