import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { YubikeyError, type YubikeyErrorCode } from '../src/index.js';
import { isRejection, STATUSES } from '../src/protocol/status.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'cli/README.md',
  'bench/README.md',
  'example-app/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !path.includes('node_modules'))
    .map((path) => `docs/${path}`),
];

/** The anchors of a page, as GitHub makes them of its headings. */
function anchors(path: string): string[] {
  const text = read(path).replaceAll(/^```.*?^```$/gms, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe.each(PAGES)('%s', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)];

  it('links to pages and headings that exist', () => {
    const broken = links.filter(([, path = '', anchor]) => {
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchors(target).includes(anchor);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});

it.each(['CONTRIBUTING.md', 'docs/architecture.md'])('%s names files that exist', (page) => {
  const paths = [...read(page).matchAll(/`((?:src|cli|test|scripts|docs|bench|example-app)\/[\w./-]+)`/g)];
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.map(([, path = '']) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

it('docs/errors.md lists every reason of a refusal', () => {
  const [, refusals = ''] = /\n## Refused OTPs\n(.*?)\n`YubikeyStrategy`/s.exec(read('docs/errors.md')) ?? [];
  const listed = [...refusals.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, reason]) => reason);
  expect(listed.sort()).toEqual(Object.keys(STATUSES).filter(isRejection).sort());
});

it('docs/errors.md lists every code of YubikeyError with its HTTP status', () => {
  const [, union = ''] = /type YubikeyErrorCode =(.*?');/s.exec(read('src/errors.ts')) ?? [];
  const codes = [...union.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code]) => code as YubikeyErrorCode);
  const [, faults = ''] = read('docs/errors.md').split('\n## Faults\n');
  const listed = [...faults.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [
    code,
    status,
  ]);
  expect(codes.length).toBeGreaterThan(20);
  expect(Object.fromEntries(listed)).toEqual(
    Object.fromEntries(codes.map((code) => [code, String(new YubikeyError(code, '').status)])),
  );
});
