import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalKsm, MemoryStore, parseOtp } from 'passport-yubikey-otp';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { touch } from '../../src/commands/press/touch.js';
import { expectNoSecrets, MAIN, run, start, temporaryFolder } from '../support/command.js';

const FILE = 'virtual-yubikey.json';
const stateIn = (folder: string) => JSON.parse(readFileSync(join(folder, FILE), 'utf8'));
const splitLines = (text: string) => text.split('\n').filter((line) => line !== '');

/** Decrypts OTPs with the key's own secrets to usage counter and session use. */
async function readCounters(folder: string, otps: readonly string[]): Promise<string[]> {
  const { keys } = new MemoryStore();
  await keys.add(SoftYubikey.fromJSON(stateIn(folder)));
  const decryptions = otps.map((otp) => new LocalKsm(keys).decrypt(parseOtp(otp)));
  return (await Promise.all(decryptions)).map((decryption) => {
    if (!decryption.ok) throw new Error(decryption.reason);
    return `${decryption.counters.usageCounter}/${decryption.counters.sessionUse}`;
  });
}

describeWith('yubikey-otp press, in an empty folder', ['sh', 'xargs', 'tee'], () => {
  it('makes an OTP that verifies through xargs once, and is refused with 1 the second time', () => {
    const cwd = temporaryFolder();
    const { YUBIKEY_DB: _, YUBIKEY_MASTER_KEY: __, ...rest } = process.env;
    const env = { ...rest, NODE: process.execPath, MAIN };
    const sh = (script: string) => spawnSync('sh', ['-c', script], { cwd, env, encoding: 'utf8' });
    for (const usage of ['usage counter 1, session use 0', 'usage counter 1, session use 1']) {
      expect(sh('"$NODE" "$MAIN" press | tee otp | xargs "$NODE" "$MAIN" verify')).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(new RegExp(`^OK vv\\w{10}, ${usage}\n$`)),
      });
    }
    expect(sh('"$NODE" "$MAIN" verify "$(cat otp)"')).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^REPLAYED_OTP: /),
    });
  });
});

describe('yubikey-otp press', () => {
  it('makes the key, its database and the master key the first time, readable by their owner only, and says so', async () => {
    const cwd = temporaryFolder();
    const first = await run(['press'], { cwd });
    const { publicId } = stateIn(cwd);
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^${publicId}\\w{32}\n$`)),
    });
    for (const says of [
      'keep a copy away from the database',
      `Made the virtual YubiKey ${publicId}`,
      'anyone who can read that file can sign in as this key',
      `yubikey-otp keys delete ${publicId}`,
    ]) {
      expect(first.stderr).toContain(says);
    }
    expect(readdirSync(cwd).sort()).toEqual(
      [FILE, `${FILE}.lock`, 'yubikey-otp.db', 'yubikey-otp.master-key'].sort(),
    );
    for (const name of readdirSync(cwd))
      expect([name, statSync(join(cwd, name)).mode & 0o777]).toEqual([name, 0o600]);
    const second = await run(['press'], { cwd });
    expect(second).toMatchObject({ code: 0, stderr: '' });
    for (const ended of [first, second]) expectNoSecrets(ended, SoftYubikey.fromJSON(stateIn(cwd)));
    const listed = await run(['keys', 'list', '--json'], { cwd });
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { publicId, active: true, notes: 'virtual, for tests' },
    ]);
  });

  it('types as the options say', async () => {
    const cwd = temporaryFolder();
    const press = async (...args: string[]) => splitLines((await run(['press', ...args], { cwd })).stdout);
    const plain = await press('--count', '3');
    const capitals = await press('--caps-lock');
    const dvorak = await press('--layout', 'us(dvorak)', '--count', '2');
    const replugged = await press('--replug');
    expect(plain).toHaveLength(3);
    expect(capitals[0]).toMatch(/^VV[A-Z]{42}$/);
    expect(dvorak[0]).toMatch(/^kk[jxe.uidchtnbpygk]{42}$/);
    expect(replugged[0]).toMatch(/^vv[cbdefghijklnrtuv]{42}$/);
    const all = [...plain, ...capitals, ...dvorak, ...replugged];
    expect(await readCounters(cwd, all)).toEqual(['1/0', '1/1', '1/2', '1/3', '1/4', '1/5', '2/0']);
    for (const otp of [...capitals, ...dvorak, ...replugged]) {
      expect(await run(['verify', otp], { cwd })).toMatchObject({ code: 0 });
    }
    expect(JSON.parse((await run(['press', '--count', '2', '--json'], { cwd })).stdout)).toHaveLength(2);
  });

  it('never prints the same counters twice, even if several processes start with the first press', async () => {
    const cwd = temporaryFolder();
    const ended = await Promise.all(Array.from({ length: 6 }, () => run(['press', '--count', '4'], { cwd })));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0]);
    const counters = await readCounters(
      cwd,
      ended.flatMap(({ stdout }) => splitLines(stdout)),
    );
    expect(new Set(counters).size).toBe(24);
    expect(stateIn(cwd)).toMatchObject({ usageCounter: 1, sessionUse: 23 });
    expect(JSON.parse((await run(['keys', 'list', '--json'], { cwd })).stdout)).toHaveLength(1);
  });

  it('never prints the same counters twice if it is killed, and does not stay locked', async () => {
    const cwd = temporaryFolder();
    await run(['press'], { cwd });
    const startedAt = Date.now();
    const otps = splitLines((await run(['press'], { cwd })).stdout);
    const duration = Date.now() - startedAt;
    const TIMES = 12;
    for (let at = 0; at < TIMES; at++) {
      const child = start(['press'], { cwd });
      child.stdout.on('data', (chunk) => otps.push(...splitLines(String(chunk))));
      await Promise.race([once(child, 'close'), sleep(duration * (0.5 + at / (2 * TIMES)))]);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    }
    otps.push(...splitLines((await run(['press'], { cwd })).stdout));
    expect(new Set(await readCounters(cwd, otps)).size).toBe(otps.length);
  }, 60_000);

  it('prints no OTP if its counters cannot be written', async () => {
    const state = new SoftYubikey().toJSON();
    await expect(touch(state, 1, { file: '/nonexistent/key.json' })).rejects.toThrow(
      /cannot be written \(ENOENT\)/,
    );
  });

  it('stops when a YubiKey has no more counters', async () => {
    const cwd = temporaryFolder();
    await run(['press'], { cwd });
    const write = (sessionUse: number) =>
      writeFileSync(join(cwd, FILE), JSON.stringify({ ...stateIn(cwd), usageCounter: 0x7fff, sessionUse }));
    write(0xfe);
    expect(await run(['press'], { cwd })).toMatchObject({ code: 0 });
    expect(await run(['press'], { cwd })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('has no OTPs left'),
    });
    write(3);
    expect(await run(['press', '--replug'], { cwd })).toMatchObject({ code: 1, stdout: '' });
    expect(await run(['press'], { cwd })).toMatchObject({ code: 0 });
  });

  /** Presses and verifies the OTP. Returns the messages, and the exit code of verify. */
  async function pressAndVerify(cwd: string, ...args: string[]) {
    const pressed = await run(['press', ...args], { cwd });
    expect(pressed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^vv\w{42}\n$/) });
    return { says: pressed.stderr, code: (await run(['verify', pressed.stdout], { cwd })).code };
  }

  it('warns if the database does not accept the key, but prints the OTP', async () => {
    const cwd = temporaryFolder();
    await run(['press'], { cwd });
    const { publicId } = stateIn(cwd);
    await run(['keys', 'disable', publicId], { cwd });
    expect(await pressAndVerify(cwd)).toEqual({
      says: expect.stringContaining(`keys enable ${publicId}`),
      code: 1,
    });
    await run(['keys', 'delete', '--yes', publicId], { cwd });
    const says = expect.stringContaining('yubikey-otp press --enrol');
    expect(await pressAndVerify(cwd)).toEqual({ says, code: 1 });
    rmSync(join(cwd, 'yubikey-otp.db'));
    expect(await pressAndVerify(cwd)).toEqual({ says, code: 2 });
  });

  it('enrols an existing key in an old or a new database if it is asked to', async () => {
    const cwd = temporaryFolder();
    await run(['press'], { cwd });
    const { publicId } = stateIn(cwd);
    await run(['keys', 'delete', '--yes', publicId], { cwd });
    const says = `Stored ${publicId} in the database\n`;
    expect(await pressAndVerify(cwd, '--enrol')).toEqual({ says, code: 0 });
    for (const name of readdirSync(cwd)) if (name.startsWith('yubikey-otp.')) rmSync(join(cwd, name));
    const again = await pressAndVerify(cwd, '--enrol');
    expect(again).toEqual({ says: expect.stringContaining('Made the master key'), code: 0 });
    expect(again.says).toContain(says);
    expect(await pressAndVerify(cwd)).toEqual({ says: '', code: 0 });
  });

  it('makes no master key if records are sealed with a missing one', async () => {
    const cwd = temporaryFolder();
    await run(['keys', 'new'], {
      cwd,
      env: { YUBIKEY_MASTER_KEY: `a:${Buffer.alloc(32, 1).toString('base64')}` },
    });
    expect(await run(['press'], { cwd })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('There is no master key'),
    });
    expect(existsSync(join(cwd, 'yubikey-otp.master-key'))).toBe(false);
    expect(existsSync(join(cwd, FILE))).toBe(false);
  });

  it('refuses a file that contains no key, and repeats nothing of it', async () => {
    const cwd = temporaryFolder();
    await run(['press'], { cwd });
    const state = stateIn(cwd);
    for (const text of [
      '',
      'null',
      JSON.stringify(state).slice(0, -2),
      `${JSON.stringify(state)}x`,
      JSON.stringify({ ...state, aesKey: `${state.aesKey}00` }),
      JSON.stringify({ ...state, layout: state.aesKey }),
    ]) {
      writeFileSync(join(cwd, FILE), text);
      const ended = await run(['press'], { cwd });
      expect(ended).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('does not contain a virtual YubiKey'),
      });
      expectNoSecrets(ended, SoftYubikey.fromJSON(state));
      expect(readFileSync(join(cwd, FILE), 'utf8')).toBe(text);
    }
  });

  it.each([
    [['--count', '0'], '--count takes'],
    [['--count', '1e3'], '--count takes'],
    [['--count', '100001'], '--count takes'],
    [['--layout', 'klingon'], 'Unknown layout klingon; the known layouts are us(dvorak)'],
    [['--file', '/nonexistent/key.json'], 'cannot be locked'],
  ])('makes nothing if it is called wrongly: %j', async (args, says) => {
    const cwd = temporaryFolder();
    expect(await run(['press', ...args], { cwd })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(says),
    });
    expect(readdirSync(cwd)).toEqual([]);
  });
});
