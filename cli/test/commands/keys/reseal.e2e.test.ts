import { describe, expect, it } from 'vitest';
import { masterKey, newCommand } from '../../support/stores.js';

describe('yubikey-otp keys reseal', () => {
  it('changes the master key', async () => {
    const command = newCommand();
    for (let count = 0; count < 3; count++) await command.json('keys', 'new');
    const next = masterKey('second');
    const both = { YUBIKEY_MASTER_KEY: `${next}\n${command.masterKey}` };
    const first = await command(['keys', 'reseal', '--json'], { env: both });
    expect(JSON.parse(first.stdout)).toMatchObject({ keys: { checked: 3, resealed: 3 } });
    const second = await command(['keys', 'reseal'], { env: both });
    expect(second).toMatchObject({ code: 0, stderr: expect.stringContaining('3 checked, 0 resealed') });
    const exported = await command(['keys', 'export'], { env: { YUBIKEY_MASTER_KEY: next } });
    expect(exported.stdout.trim().split('\n')).toHaveLength(4);
    expect(await command(['keys', 'export'])).toMatchObject({ code: 2 });
  });
});
