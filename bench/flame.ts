import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Draws a profile of `node --cpu-prof` as a flame graph. The width of a frame is its share of the busy time.
 *
 *     npx tsx bench/flame.ts CPU.….cpuprofile bench/results/flame-service.svg
 */
interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[] | undefined;
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function at one place of the call tree, with the microseconds spent in it and its callees. */
interface Frame {
  readonly name: string;
  readonly below: Map<string, Frame>;
  time: number;
}

const WIDTH = 1600;
const ROW = 17;
const LEAST = 0.8;
const LETTER = 6.2;
const NOT_WORK = ['(idle)', '(program)'];

function read(path: string): Frame {
  const { nodes, samples, timeDeltas }: Profile = JSON.parse(readFileSync(path, 'utf8'));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const times = new Map<number, number>();
  for (const [at, id] of samples.entries()) {
    times.set(id, (times.get(id) ?? 0) + (timeDeltas[at + 1] ?? 0));
  }
  const add = (id: number, into: Frame): number => {
    const node = byId.get(id) as ProfileNode;
    const name = frameName(node);
    if (NOT_WORK.includes(name)) return 0;
    const frame = into.below.get(name) ?? { name, below: new Map(), time: 0 };
    into.below.set(name, frame);
    let time = times.get(id) ?? 0;
    for (const child of node.children ?? []) time += add(child, frame);
    frame.time += time;
    return time;
  };
  const all: Frame = { name: 'all', below: new Map(), time: 0 };
  all.time = add((nodes[0] as ProfileNode).id, all);
  return all.below.get('(root)') as Frame;
}

function frameName({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const file = url.split('/').slice(-2).join('/');
  return `${functionName || '(anonymous)'}${file && ` ${file}:${lineNumber + 1}`}`;
}

function draw(root: Frame): string {
  const boxes: string[] = [];
  let depth = 0;
  const box = (frame: Frame, x: number, row: number) => {
    const width = (frame.time / root.time) * WIDTH;
    if (width < LEAST) return;
    depth = Math.max(depth, row);
    const part = `${((100 * frame.time) / root.time).toFixed(1)} %`;
    const shown = frame.name.slice(0, Math.max(0, Math.floor(width / LETTER) - 1));
    const y = row * ROW;
    boxes.push(
      `<g><title>${escaped(frame.name)}, ${part}</title>` +
        `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${frameColour(frame.name)}"/>` +
        `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escaped(shown)}</text></g>`,
    );
    let at = x;
    for (const child of [...frame.below.values()].sort((one, other) => other.time - one.time)) {
      box(child, at, row + 1);
      at += (child.time / root.time) * WIDTH;
    }
  };
  box(root, 0, 0);
  const size = `width="${WIDTH}" height="${(depth + 1) * ROW}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="monospace" font-size="10">\n<title>Where the time goes</title>\n${boxes.join('\n')}\n</svg>\n`;
}

/** Grey for Node itself, blue for packages, orange for the measured code. */
function frameColour(name: string): string {
  if (/ (passport-yubikey-otp|dist)\//.test(name)) return '#f0a050';
  return /\.m?js:/.test(name) ? '#9fc5e8' : '#d9d9d9';
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const [profile, svg] = process.argv.slice(2);
if (profile === undefined || svg === undefined)
  throw new Error('Usage: flame.ts PROFILE.cpuprofile OUTPUT.svg');
writeFileSync(svg, draw(read(profile)));
