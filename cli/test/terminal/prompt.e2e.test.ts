import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect, it } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { hex, MAIN } from '../support/command.js';
import { newCommand } from '../support/stores.js';

/**
 * Runs a command on its own terminal. Each answer is typed when its question appears. Prints what the terminal showed,
 * the exit code, and whether the terminal has its former settings (echo, line mode).
 */
const TERMINAL = `
import json, os, pty, select, subprocess, sys, termios, time
questions, args = json.loads(sys.argv[1]), sys.argv[2:]
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
child = subprocess.Popen(args, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
seen, at, until = "", 0, time.time() + 60
while time.time() < until:
    if select.select([master], [], [], 0.1)[0]:
        seen += os.read(master, 4096).decode()
    elif child.poll() is not None:
        break
    if at < len(questions) and questions[at][0] in seen:
        time.sleep(0.3)
        os.write(master, questions[at][1].encode())
        at += 1
child.kill()
print(json.dumps({"seen": seen, "code": child.wait(), "isSane": termios.tcgetattr(slave) == before}))
`;

interface Seen {
  seen: string;
  code: number;
  isSane: boolean;
}

describeWith('the prompt at a terminal', ['python3'], () => {
  async function typeTo(args: readonly string[], answers: readonly (readonly [string, string])[]) {
    const command = newCommand();
    const env = { ...process.env, YUBIKEY_DB: command.db, YUBIKEY_MASTER_KEY: command.masterKey };
    const all = ['-c', TERMINAL, JSON.stringify(answers), process.execPath, MAIN, ...args];
    const { stdout } = await promisify(execFile)('python3', all, { env });
    return { command, ...(JSON.parse(stdout) as Seen) };
  }

  it('does not show typed secrets, and restores the terminal', async () => {
    const yubikey = new SoftYubikey();
    const { publicId } = yubikey;
    const otp = yubikey.press();
    const ended = await typeTo(
      ['keys', 'add', publicId],
      [
        ['AES key', `${hex(yubikey.aesKey)}\r`],
        ['touch the key', `${otp}\r`],
      ],
    );
    expect(ended).toMatchObject({
      code: 0,
      isSane: true,
      seen: expect.stringContaining(`Added ${publicId}`),
    });
    for (const secret of [hex(yubikey.aesKey), hex(yubikey.privateId), otp.slice(-32)]) {
      expect(ended.seen.toLowerCase()).not.toContain(secret.slice(0, 6));
    }
    expect(await ended.command.json('keys', 'show', publicId)).toMatchObject({ hasPrivateId: true });
  });

  it.each([
    ['first', [['AES key', '00112233\x03']]],
    [
      'second',
      [
        ['AES key', `${'00'.repeat(16)}\r`],
        ['touch the key', '0011\x03'],
      ],
    ],
  ] as const)(
    'ends on Ctrl-C at the %s question, stores nothing, and restores the terminal',
    async (_, answers) => {
      const ended = await typeTo(['keys', 'add', 'vvcc'], answers);
      expect(ended).toMatchObject({
        code: 2,
        isSane: true,
        seen: expect.stringContaining('Interrupted; nothing was changed'),
      });
      expect(ended.seen).not.toContain('0011');
      expect(await ended.command.json('keys', 'list')).toEqual([]);
    },
  );
});
