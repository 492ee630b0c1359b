import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LocalKsm } from '../../../src/ksm/local-ksm.js';
import { parseOtp } from '../../../src/otp/otp.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { KsmVerifier } from '../../../src/verifiers/ksm-verifier.js';
import {
  migratedStoreFor,
  type SqliteWay,
  temporaryFile,
  ways,
} from '../../support/stores/sqlite-drivers.js';

const fixture = fileURLToPath(new URL('../../support/stores/fixtures/verify-at-once.mjs', import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));

interface Child {
  process: ChildProcess;
  nextLine(): Promise<string>;
}

/** Another process that uses the same file: it writes "ready", and verifies once it receives a line. */
function startChild(option: 'path' | 'database', path: string, otp: string, times: number): Child {
  const child = spawn(process.execPath, ['--import', 'tsx', fixture, option, path, otp, String(times)], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { process: child, nextLine: async () => String((await lines.next()).value) };
}

async function storeWithKey(path: string) {
  const [way] = ways as [SqliteWay];
  const store = await migratedStoreFor(way, path);
  const yubikey = new SoftYubikey();
  await store.keys.add(yubikey);
  const verifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
  return { store, yubikey, verifier };
}

describe.each(['database', 'path'] as const)(
  'processes that share a SQLite file, each with a %s,',
  (option) => {
    it('accept one OTP once in 64 verifications by four processes at once', async () => {
      const path = temporaryFile();
      const { store, yubikey } = await storeWithKey(path);
      const otp = yubikey.press();
      const children = [1, 2, 3, 4].map(() => startChild(option, path, otp, 16));
      for (const child of children) expect(await child.nextLine()).toBe('ready');
      for (const child of children) child.process.stdin?.write('go\n');
      const verdicts: string[] = [];
      for (const child of children) verdicts.push(...JSON.parse(await child.nextLine()));
      expect(verdicts).toHaveLength(64);
      expect(verdicts.filter((verdict) => verdict === 'OK')).toHaveLength(1);
      expect(verdicts.filter((verdict) => verdict === 'REPLAYED_OTP')).toHaveLength(63);
      expect(await store.counters.get(yubikey.publicId)).toMatchObject({ acceptedCount: 1 });
    });

    it('still refuse an OTP that one of them accepted before it was killed', async () => {
      const path = temporaryFile();
      const { yubikey, verifier } = await storeWithKey(path);
      const otp = yubikey.press();
      const child = startChild(option, path, otp, 1);
      await child.nextLine();
      child.process.stdin?.write('go\n');
      expect(JSON.parse(await child.nextLine())).toEqual(['OK']);
      child.process.kill('SIGKILL');
      await once(child.process, 'exit');
      expect(await verifier.verify(parseOtp(otp))).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
      expect(await verifier.verify(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
    });
  },
);
