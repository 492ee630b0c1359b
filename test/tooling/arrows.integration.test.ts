import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Copy } from '../support/tooling/copy.js';

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

/** Runs dependency-cruiser as `npm run check` does. */
function findViolations(
  { folder }: Copy,
  sources = ['src', 'cli/src', 'example-app/src'],
): Promise<Violation[]> {
  const command = join(folder, 'node_modules/.bin/depcruise');
  const options = { cwd: folder, maxBuffer: Number.POSITIVE_INFINITY };
  return new Promise((resolve, reject) => {
    execFile(command, [...sources, '--output-type', 'json'], options, (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve((JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations);
    });
  });
}

/** Each in a file of its own where the path is that of a folder. */
const UP: [path: string, source: string][] = [
  ['src/otp/', "import { STATUSES } from '../protocol/status.js';"],
  ['src/otp/', "import type { Status } from '../protocol/status.js';"],
  ['src/otp/', "export * from '../stores/store.js';"],
  ['src/otp/', "export { Status } from '../protocol/status.js';"],
  ['src/otp/', "const { KsmVerifier } = await import('../verifiers/ksm-verifier.js');"],
  ['src/otp/', "type Store = import('../stores/store.js').KeyStore;"],
  ['src/otp/', "import '../stores/sqlite/sqlite-store.js';"],
  ['src/protocol/', "import type { KeyStore } from '../stores/store.js';"],
  ['src/http/', "import type { Ksm } from '../ksm/ksm.js';"],
  ['src/stores/sql/', "import { LocalKsm } from '../../ksm/local-ksm.js';"],
  ['src/ksm/', "import type { Verifier } from '../verifiers/verifier.js';"],
  ['src/ksm/', "import { SoftYubikey } from '../testing/soft-yubikey.js';"],
  ['src/verifiers/', "import { YubikeyStrategy } from '../passport/strategy.js';"],
  ['src/verifiers/', "import { ksmListener } from '../server/ksm/ksm-listener.js';"],
  ['src/verifiers/', "import { SqliteStore } from '../stores/index.js';"],
  ['src/verifiers/cloud/', "import { findUserId } from '../../passport/user-id.js';"],
  ['src/passport/', "import { KsmVerifier } from '../index.js';"],
  ['src/passport/', "import { ksmListener } from '../server/ksm/ksm-listener.js';"],
  ['src/passport/', "import packageJson from '../../package.json' with { type: 'json' };"],
  ['src/server/', "import { YubikeyStrategy } from '../passport/strategy.js';"],
  ['src/server/', "import { validationListener } from './index.js';"],
  ['src/testing/', "import { YubikeyStrategy } from '../passport/strategy.js';"],
  ['src/errors.ts', "import type { Status } from './protocol/status.js';"],
  ['src/options.ts', "import { YubikeyError } from './errors.js';"],
  ['src/protocol/', "import { publish } from '../diagnostics.js';"],
  ['src/diagnostics.ts', "import type { Verification } from './verifiers/verifier.js';"],
  ['src/index.ts', "export { SqliteStore } from './stores/index.js';"],
  ['src/new-room/', "import { YubikeyError } from '../errors.js';"],
  ['src/otp/', "import { say } from '../../cli/src/terminal/output.js';"],
  ['cli/src/terminal/', "import type { Database } from '../database/database.js';"],
  ['cli/src/files/', "import { openDatabase } from '../database/database.js';"],
  ['cli/src/database/', "import type { Line } from '../transfer/line.js';"],
  ['cli/src/transfer/', "import { serve } from '../serve/run.js';"],
  ['cli/src/serve/settings/', "import type { Place } from '../http-server.js';"],
  ['cli/src/serve/', "import { readPressOptions } from '../commands/press/index.js';"],
  ['cli/src/commands/', "import { createProgram } from '../program.js';"],
  ['cli/src/commands/keys/', "import { modhex } from '../../../../src/otp/modhex.js';"],
  ['cli/src/commands/keys/', "import type { Counters } from '../../../../src/otp/counters.js';"],
  ['example-app/src/accounts/', "import { parseOtp } from '../../../src/index.js';"],
  ['example-app/src/accounts/', "import { say } from '../../../cli/src/terminal/output.js';"],
];

const PACKAGES_IN_BOTTOM_FILES: [path: string, source: string, to: string][] = [
  ['src/errors.ts', "import { randomUUID } from 'node:crypto';", 'crypto'],
  ['src/options.ts', "import { inspect } from 'node:util';", 'util'],
  ['src/diagnostics.ts', "import { AsyncLocalStorage } from 'node:async_hooks';", 'async_hooks'],
  ['src/diagnostics.ts', "import { YubikeyError } from './errors.js';", 'src/errors.ts'],
];

const ALLOWED: [path: string, source: string][] = [
  ['src/passport/', "import { KsmVerifier } from '../verifiers/ksm-verifier.js';"],
  ['src/index.ts', "export { YubikeyStrategy } from './passport/strategy.js';"],
  ['src/server/ksm/', "import { LocalKsm } from '../../ksm/local-ksm.js';"],
  ['src/verifiers/cloud/', "import { YubikeyError } from '../../errors.js';"],
  ['src/errors.ts', "import { assertOptions } from './options.js';"],
  ['src/verifiers/', "import type { Verifier } from './verifier.js';"],
  ['src/ksm/remote/', "import { Transport } from '../../http/transport.js';"],
  ['src/diagnostics.ts', "import type { Counters } from './otp/counters.js';"],
  ['src/stores/', "import { publish } from '../diagnostics.js';"],
  ['src/stores/', "import { randomUUID } from 'node:crypto';"],
  ['src/stores/', "import { request } from 'undici';"],
  ['src/testing/', "import { KsmVerifier } from '../verifiers/ksm-verifier.js';"],
  ['cli/src/serve/', "import { resolve } from './settings/sources.js';"],
  ['cli/src/commands/keys/', "import { SqliteStore } from 'passport-yubikey-otp/stores';"],
];

/** Writes a line, and says which file imports which by it. */
function plant(copy: Copy, [path, source]: readonly [string, string, string?], index: number) {
  const from = path.endsWith('/') ? `${path}planted-${index}.ts` : path;
  copy.append(from, `${source}\n`);
  const specifier = source.match(/'(.*?)'/)?.[1] as string;
  const to = posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
  return { from, to };
}

describe('dependency-cruiser', () => {
  it('finds every arrow that points up, type-only ones and those between packages, too', async () => {
    const copy = new Copy();
    const planted = UP.map((fault, index) => plant(copy, fault, index));
    for (const { to } of planted) expect(existsSync(join(copy.folder, to)), to).toBe(true);
    const bottom = PACKAGES_IN_BOTTOM_FILES.map((fault, index) => ({
      ...plant(copy, fault, index),
      to: fault[2],
    }));
    const violations = await findViolations(copy);
    const found = violations
      .filter(({ rule }) => rule.name !== 'circle')
      .map(({ from, to }) => `${from} → ${to}`);
    expect(found.sort()).toEqual(
      expect.arrayContaining([...planted, ...bottom].map(({ from, to }) => `${from} → ${to}`).sort()),
    );
  });

  it('finds circles, those of types, too', async () => {
    const copy = new Copy();
    const folders = ['src/otp/', 'cli/src/files/', 'example-app/src/demo/'];
    for (const folder of folders) {
      copy.write(`${folder}planted-a.ts`, "import { b } from './planted-b.js';\nexport const a = () => b;\n");
      copy.write(
        `${folder}planted-b.ts`,
        "import type { a } from './planted-a.js';\nexport const b = (_: typeof a) => 1;\n",
      );
    }
    const violations = await findViolations(copy, folders);
    const found = violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
    expect(found).toHaveLength(folders.length);
    for (const folder of folders) {
      expect(found).toContainEqual(
        expect.stringMatching(
          new RegExp(`^circle: ${folder}planted-(a.ts → ${folder}planted-b|b.ts → ${folder}planted-a).ts$`),
        ),
      );
    }
  });

  it('finds nothing where arrows point down', async () => {
    const copy = new Copy();
    ALLOWED.forEach((line, index) => {
      plant(copy, line, index);
    });
    expect(await findViolations(copy, ['src', 'cli/src/serve', 'cli/src/commands/keys'])).toEqual([]);
  });
});
