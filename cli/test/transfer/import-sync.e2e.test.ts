import { setTimeout as sleep } from 'node:timers/promises';
import LibsqlDatabase from 'libsql';
import { expect, it, onTestFinished } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { start } from '../support/command.js';
import { hangingCalls } from '../support/serve/hanging.js';
import { newCommand } from '../support/stores.js';

describeWith('an import while another process has the database open', ['gcc'], () => {
  it('ends only after the added records are on disk', async () => {
    const command = newCommand();
    expect(await command(['clients', 'new'])).toMatchObject({ code: 0 });
    const other = new LibsqlDatabase(command.db);
    onTestFinished(() => void other.close());
    other.prepare('SELECT version FROM yubikey_schema').all();
    const { env, hang, goOn } = hangingCalls();
    hang('HANG_SYNCS');
    const child = start(['keys', 'import', '-'], {
      env: { ...env, YUBIKEY_DB: command.db, YUBIKEY_MASTER_KEY: command.masterKey },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stdin.end('# ykksm 1\n0,cccccccccccd,000000000001,00000000000000000000000000000001,,,\n');
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    expect(await Promise.race([ended, sleep(5_000, 'waits')])).toBe('waits');
    goOn('HANG_SYNCS');
    expect(await ended).toBe(0);
  });
});
