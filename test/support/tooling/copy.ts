import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const LEFT_OUT = ['.git', 'node_modules', 'dist', 'coverage'];

/** A copy of the repository to plant faults in, removed after the test. */
export class Copy {
  readonly folder = mkdtempSync(join(tmpdir(), 'copy-'));

  constructor() {
    onTestFinished(() => rmSync(this.folder, { recursive: true }));
    cpSync(root, this.folder, {
      recursive: true,
      filter: (path) => !LEFT_OUT.includes(basename(path)),
    });
    symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'));
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  append(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    appendFileSync(join(this.folder, path), text);
  }
}
