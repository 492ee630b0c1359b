import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import { expect, it } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { parseYkmanLine } from '../../src/transfer/ykman.js';
import { commandOn, hex, temporaryFolder } from '../support/command.js';

/** The Python of Debian, for which its ykman is installed as a module. */
const PYTHON = '/usr/bin/python3';
const python = (script: string, ...args: string[]) =>
  execFileSync(PYTHON, ['-c', script, ...args], { encoding: 'utf8' }).trim();

const PARSE_COMMAND = `
import json, sys
try:
    from ykman._cli.otp import yubiotp
except ImportError:
    from ykman.cli.otp import yubiotp
p = yubiotp.make_context("yubiotp", sys.argv[1:]).params
public = p["public_id"] if isinstance(p["public_id"], str) else p["public_id"].hex()
print(json.dumps([int(p["slot"]), public, p["private_id"].hex(), p["key"].hex()]))
`;
const SERIAL_PUBLIC_ID = `
import struct, sys
from yubikit.core.otp import modhex_encode
print(modhex_encode(b"\\xff\\x00" + struct.pack(">I", int(sys.argv[1]))))
`;
const FORMAT_CSV = `
from ykman.otp import format_csv
print(format_csv(7654321, bytes.fromhex("ff0000000001"), bytes(range(6)), bytes(range(16))))
print(format_csv(7654321, bytes.fromhex("ff0000000001"), bytes(range(6)), bytes(range(16)), bytes(range(6))))
`;
const hasFormatCsv = spawnSync(PYTHON, ['-c', 'from ykman.otp import format_csv']).status === 0;

describeWith('ykman', ['ykman'], () => {
  const newCommand = () =>
    commandOn(join(temporaryFolder(), 'keys.db'), `first:${newMasterKey().toString('base64')}`);

  it('understands the command that keys new prints', async () => {
    const made = await newCommand().json('keys', 'new');
    const args = made.command.replace('ykman otp yubiotp ', '').split(' ');
    expect(JSON.parse(python(PARSE_COMMAND, ...args))).toEqual([
      2,
      made.publicId,
      made.privateId,
      made.aesKey,
    ]);
  });

  it.each(['0', '1', '7654321', '4294967295'])(
    'derives the same public ID from serial number %s',
    async (serial) => {
      const made = await newCommand().json('keys', 'new', '--serial', serial);
      expect(made.publicId).toBe(python(SERIAL_PUBLIC_ID, serial));
    },
  );

  it.skipIf(!hasFormatCsv)('writes lines that can be read (needs ykman 5, which has -O)', () => {
    const [plain, locked] = python(FORMAT_CSV).split('\n').map(parseYkmanLine);
    expect(plain).toMatchObject({
      entry: { publicId: 'vvcccccccccb', notes: 'serial 7654321', hasAccessCode: false },
    });
    expect(locked).toMatchObject({ entry: { hasAccessCode: true } });
    const entry = plain && 'entry' in plain ? plain.entry : undefined;
    expect([hex(entry?.privateId), hex(entry?.aesKey)]).toEqual([
      '000102030405',
      '000102030405060708090a0b0c0d0e0f',
    ]);
  });
});
