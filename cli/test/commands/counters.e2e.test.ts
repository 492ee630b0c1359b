import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { temporaryFile } from '../support/command.js';
import { newCommand, openStores, secretAnswers } from '../support/stores.js';

describe('yubikey-otp counters', () => {
  const line = (publicId: string, counter: number, active = 1, nonce = 'aoincuhfuahsaoin') =>
    `${active},1359470658,1359470659,${publicId},${counter},1,32729,4,${nonce},\n`;

  it('import only raises counters, and disables deactivated keys', async () => {
    const command = newCommand();
    const { publicId } = await command.json('keys', 'new');
    const text =
      line('cccccccccccb', 0x8000 + 9) + line(publicId, 3, 0) + line('vvvv', 1, 0) + line('vv', -1);
    const args = ['counters', 'import', '--json', temporaryFile(text)];
    const dryRun = await command([...args, '--dry-run']);
    expect(await command(['counters', 'export'])).toMatchObject({ stdout: '' });
    expect(await command.json('keys', 'show', publicId)).toMatchObject({ active: true });

    const ended = await command(args, { env: { YUBIKEY_MASTER_KEY: '' } });
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      raised: 2,
      unchanged: 0,
      skipped: 1,
      refused: 1,
      problems: [{ line: 3, reason: expect.stringContaining('vvvv is deactivated') }],
    });
    expect(JSON.parse(dryRun.stdout)).toEqual({ ...JSON.parse(ended.stdout), dryRun: true });
    expect(await command.json('keys', 'show', publicId)).toMatchObject({
      active: false,
      counters: { usageCounter: 3, sessionUse: 1, acceptedAt: '2013-01-29T14:44:19.000Z' },
    });

    const lower = line('cccccccccccb', 8) + line('cccccccccccb', 9) + line('cccccccccccb', 10);
    const second = await command(['counters', 'import', '--json', '-'], { input: lower });
    expect(JSON.parse(second.stdout)).toMatchObject({ raised: 1, unchanged: 2, refused: 0 });
  });

  it('export writes what another server imports', async () => {
    const [here, there] = [newCommand(), newCommand()];
    const { publicId } = await here.json('keys', 'new');
    const text = line('cccccccccccb', 5, 1, '') + line(publicId, 3, 0);
    await here(['counters', 'import', '-'], { input: text });
    const { stdout } = await here(['counters', 'export']);
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).toContain(',cccccccccccb,5,1,32729,4,,\n');
    expect(stdout).toMatch(new RegExp(`^0,\\d+,1359470659,${publicId},3,1,32729,4,aoincuhfuahsaoin,$`, 'm'));
    await there(['keys', 'import', '-'], { input: (await here(['keys', 'export'])).stdout });
    expect(await there(['counters', 'import', '-'], { input: stdout })).toMatchObject({ code: 0 });
    // The time at which a key was stored is not exported; everything else is.
    const withoutCreated = (exported: string) => exported.replace(/^(\d),\d+/gm, '$1');
    expect(withoutCreated((await there(['counters', 'export'])).stdout)).toBe(withoutCreated(stdout));
  });

  it('import reports a missing key every time until it is stored', async () => {
    const command = newCommand();
    const yubikey = new SoftYubikey();
    const file = temporaryFile(line(yubikey.publicId, 7, 0));
    const missing = await command(['counters', 'import', file]);
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('then this file again') });
    expect((await command(['counters', 'export'])).stdout).toBe('');
    await command(['keys', 'add', yubikey.publicId], { input: secretAnswers(yubikey) });
    expect(await command(['counters', 'import', file])).toMatchObject({ code: 0, stdout: '' });
    expect(await command.json('keys', 'show', yubikey.publicId)).toMatchObject({
      active: false,
      counters: { usageCounter: 7 },
    });
  });

  it('import of an old file leaves a key active that was enabled later, and reports it', async () => {
    const command = newCommand();
    const { publicId } = await command.json('keys', 'new');
    const file = temporaryFile(line(publicId, 7, 0));
    await command(['counters', 'import', file]);
    expect(await command(['counters', 'import', file])).toMatchObject({ code: 0 });
    await command(['keys', 'enable', publicId]);
    for (const extra of [['--dry-run'], []]) {
      const again = await command(['counters', 'import', '--json', ...extra, file]);
      expect(again).toMatchObject({ code: 1 });
      expect(JSON.parse(again.stdout)).toMatchObject({
        unchanged: 1,
        problems: [{ line: 1, reason: expect.stringContaining(`yubikey-otp keys disable ${publicId}`) }],
      });
    }
    expect(await command.json('keys', 'show', publicId)).toMatchObject({ active: true });
    const news = await command(['counters', 'import', '-'], { input: line(publicId, 8, 0) });
    expect(news).toMatchObject({ code: 0 });
    expect(await command.json('keys', 'show', publicId)).toMatchObject({ active: false });
  });

  it('import disables a key that was never used', async () => {
    const command = newCommand();
    const { publicId } = await command.json('keys', 'new');
    expect(await command(['counters', 'import', '-'], { input: line(publicId, -1, 0) })).toMatchObject({
      code: 0,
    });
    expect(await command.json('keys', 'show', publicId)).toMatchObject({ active: false, counters: null });
  });

  it('export leaves out counters that are not stored under a public ID', async () => {
    const command = newCommand();
    await command(['counters', 'import', '-'], { input: line('cccccccccccb', 5) });
    const { counters } = await openStores(command);
    await counters.advance('unpinned:cccccccccccd:0', { usageCounter: 1, sessionUse: 0, timestamp: 0 });
    const { stdout, stderr } = await command(['counters', 'export']);
    expect(stdout).toMatch(/^1,\d+,1359470659,cccccccccccb,5,[^\n]*\n$/);
    expect(stderr).toContain('Wrote the counters of 1 keys');
  });
});
