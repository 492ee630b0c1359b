import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Line, parseLines, splitLines } from '../../src/transfer/line.js';

async function* chunked(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const readAll = async (text: string | Uint8Array, sizes: readonly number[] = []) => {
  const lines: Line[] = [];
  for await (const line of splitLines(chunked(Buffer.from(text), sizes))) lines.push(line);
  return lines;
};

describe('splitLines', () => {
  it('finds the same lines however the text is split into chunks', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '🔑', ',', '\n', '\r\n') });
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.integer({ min: 1, max: 5 })), async (all, sizes) => {
        const expected = all.split(/\r?\n/);
        if (expected.at(-1) === '') expected.pop();
        const lines = await readAll(all, sizes);
        expect(lines.map((line) => line.text)).toEqual(expected);
        expect(lines.map((line) => line.number)).toEqual(expected.map((_, at) => at + 1));
      }),
    );
  });

  it('removes a byte order mark', async () => {
    expect(await readAll('\uFEFF# ykksm 1\n')).toEqual([{ number: 1, text: '# ykksm 1' }]);
  });

  it('keeps only the beginning of an endless line, and the lines after it', async () => {
    async function* endless() {
      for (let i = 0; i < 2000; i++) yield 'x'.repeat(10_000);
      yield '\nshort\n';
    }
    const lines: Line[] = [];
    for await (const line of splitLines(endless())) lines.push(line);
    expect(lines.map(({ text }) => text.length)).toEqual([10_001, 5]);
    const parsed = [];
    for await (const each of parseLines(splitLines(endless()), (text) => ({ entry: text })))
      parsed.push(each);
    expect(parsed).toEqual([
      { line: 1, parsed: { problem: 'the line is too long' } },
      { line: 2, parsed: { entry: 'short' } },
    ]);
    const beginnings = parseLines(splitLines(endless()), (text) => ({ entry: text.length }), true);
    expect((await beginnings.next()).value).toEqual({ line: 1, parsed: { entry: 10_001 } });
  });
});
