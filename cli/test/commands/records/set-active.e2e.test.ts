import { describe, expect, it } from 'vitest';
import { newCommand } from '../../support/stores.js';

describe('yubikey-otp keys disable, enable and delete', () => {
  it('need no master key, and report each key', async () => {
    const command = newCommand();
    const { publicId } = await command.json('keys', 'new');
    const withoutKey = { env: { YUBIKEY_MASTER_KEY: '' } };
    const ended = await command(['keys', 'disable', publicId, 'cccc', '--json'], withoutKey);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toEqual([
      { publicId, result: 'disabled' },
      { publicId: 'cccc', result: 'not found' },
    ]);
    expect(await command(['keys', 'list'], withoutKey)).toMatchObject({ code: 0 });
    expect(await command(['keys', 'delete', '-y', publicId, 'cccc'], withoutKey)).toMatchObject({ code: 1 });
    expect(await command.json('keys', 'list')).toEqual([]);
  });
});
