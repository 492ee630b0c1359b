import { statSync } from 'node:fs';
import { join } from 'node:path';
import { LocalKsm, parseOtp } from 'passport-yubikey-otp';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { expectNoSecrets, temporaryFolder } from '../../support/command.js';
import { everyKey, newCommand, openStores, secretAnswers } from '../../support/stores.js';

describe('yubikey-otp keys', () => {
  it('adds, lists, shows, disables, enables, exports, imports elsewhere and deletes a key', async () => {
    const [here, there] = [newCommand(), newCommand()];
    const yubikey = new SoftYubikey();
    const { publicId } = yubikey;

    const added = await here(['keys', 'add', publicId, '--notes', "Alice's"], {
      input: secretAnswers(yubikey),
    });
    expect(added).toMatchObject({ code: 0, stdout: '', stderr: `Added ${publicId}\n` });
    expect(await here.json('keys', 'list')).toEqual([
      { publicId, active: true, createdAt: expect.any(String), notes: "Alice's" },
    ]);
    const shown = await here(['keys', 'show', publicId]);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/^Public ID:\s+vv/);
    expect(await here.json('keys', 'show', publicId)).toMatchObject({
      hasPrivateId: true,
      counters: null,
    });

    const { keys } = await openStores(here);
    const ksm = new LocalKsm(keys);
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true, privateIdChecked: true });
    const disabled = await here(['keys', 'disable', publicId]);
    expect(disabled).toMatchObject({ code: 0, stderr: `${publicId} is disabled\n` });
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toEqual({ ok: false, reason: 'UNKNOWN_KEY' });

    const file = join(temporaryFolder(), 'keys.txt');
    expect(await here(['keys', 'export', '--output', file])).toMatchObject({ code: 0, stdout: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await there(['keys', 'import', file])).toMatchObject({ code: 0 });
    expect(await everyKey(there)).toEqual(await everyKey(here));
    expect(await there.json('keys', 'list')).toMatchObject([{ publicId, active: false }]);

    expect(await here(['keys', 'enable', publicId])).toMatchObject({ code: 0 });
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
    expect(await here(['keys', 'delete', publicId])).toMatchObject({ code: 2 });
    expect(await here(['keys', 'delete', '--yes', publicId])).toMatchObject({ code: 0 });
    expect(await here(['keys', 'show', publicId])).toMatchObject({
      code: 1,
      stderr: `Error: There is no key ${publicId}\n`,
    });
    for (const ended of [added, shown, disabled]) expectNoSecrets(ended, yubikey);
  });
});
