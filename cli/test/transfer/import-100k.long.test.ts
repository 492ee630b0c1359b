import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { encodeModhex } from 'passport-yubikey-otp/protocol';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import { describe, expect, it } from 'vitest';
import { commandOn, run, temporaryFolder } from '../support/command.js';

const COUNT = 100_000;
/** Enough for a command, but not for 100,000 keys: a command that kept them would be aborted. */
const HEAP_MB = 24;
const AES = 'ecde18dbe76fbd0c33330f1c354871db';
const GOOD = `1,vvcccccccccb,ca62baca62ba,${AES},,2024-03-01T09:30:00,`;

/** Bad lines of different kinds, each with a part of the reason for which it is refused. */
const BAD: readonly (readonly [string, string])[] = [
  ['garbage', 'columns'],
  ['', 'columns'],
  [`${GOOD},,,`, 'columns'],
  [GOOD.replace('1', 'one'), 'serial number'],
  [GOOD.replace('1', '-1'), 'serial number'],
  [GOOD.replace('vvcccccccccb', 'vvccccccccca'), 'public ID'],
  [GOOD.replace('vvcccccccccb', 'vvcccccccccbvvccc'), 'public ID'],
  [GOOD.replace('vv', 'VV'), 'public ID'],
  [GOOD.replace('ca62baca62ba', 'ca62baca62'), 'private ID'],
  [GOOD.replace('ca62baca62ba', 'xa62baca62ba'), 'private ID'],
  [GOOD.replace(AES, ''), 'AES key'],
  [GOOD.replace(AES, AES.slice(1)), 'AES key'],
  [GOOD.replace(AES, 'urtubjtnuihvntcreeeecvbregfjibtn'), 'AES key'],
  [GOOD.replace(AES, AES + AES.slice(16)), '48 hexadecimal digits'],
  [GOOD.replace(AES, AES + AES), '64 hexadecimal digits'],
  [GOOD.replace(',,', ',code,'), 'access code'],
  [GOOD.replace('2024-03-01', '01.03.2024'), 'date'],
  [`${GOOD},none`, 'progflags'],
  [`${GOOD}\0`, 'date'],
  ['x'.repeat(20_000), 'too long'],
].map(([line, reason]) => [line === '' ? ',' : (line as string), reason as string]);

/** Writes 100,000 lines, 20 of them bad, and returns the numbers of the bad ones. */
async function writeFile(path: string): Promise<number[]> {
  const file = createWriteStream(path);
  const numbers: number[] = [];
  file.write('# ykksm 1\n');
  for (let at = 0; at < COUNT; at++) {
    const isBad = at % (COUNT / BAD.length) === 777;
    const id = Buffer.from([0xff, 0, 0, 0, 0, 0]);
    id.writeUInt32BE(at, 2);
    const secrets = `${randomBytes(6).toString('hex')},${randomBytes(16).toString('hex')}`;
    const good = `${at + 1},${encodeModhex(id)},${secrets},000000000000,2024-03-01T09:30:00,`;
    const line = isBad ? BAD[numbers.length]?.[0] : good;
    if (isBad) numbers.push(at + 2);
    if (!file.write(`${line}\n`)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
  return numbers;
}

/** A digest of the keys in a file, without the times of the import. */
async function computeDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const line of createInterface({ input: createReadStream(path) })) {
    hash.update(`${line.split(',').slice(0, 5).join(',')}\n`);
  }
  return hash.digest('hex');
}

describe('100,000 lines, 20 of them bad', () => {
  it('are imported except for those 20, in constant memory, and their export can be imported elsewhere unchanged', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'keys.txt');
    const numbers = await writeFile(file);
    const masterKey = `first:${newMasterKey().toString('base64')}`;
    const [here, there] = ['here.db', 'there.db'].map((name) => commandOn(join(folder, name), masterKey));
    if (!here || !there) throw new Error('no command');
    const env = {
      YUBIKEY_DB: here.db,
      YUBIKEY_MASTER_KEY: masterKey,
      NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}`,
    };

    const imported = await run(['keys', 'import', '--json', file], { env });
    expect(imported.code).toBe(1);
    const { added, refused, problems } = JSON.parse(imported.stdout);
    expect([added, refused]).toEqual([99_980, 20]);
    expect(problems).toEqual(
      numbers.map((line, at) => ({ file, line, reason: expect.stringContaining(BAD[at]?.[1] as string) })),
    );
    expect(imported.stderr).not.toContain(AES.slice(0, 12));

    const [first, second] = ['first.txt', 'second.txt'].map((name) => join(folder, name)) as [string, string];
    const exported = await run(['keys', 'export', '-o', first], { env });
    expect(exported.code).toBe(0);
    expect(await there(['keys', 'import', first])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('99980 added'),
    });
    expect(await there(['keys', 'export', '-o', second])).toMatchObject({ code: 0 });
    expect(await computeDigest(second)).toBe(await computeDigest(first));

    const again = await run(['keys', 'import', '--json', file], { env });
    expect(JSON.parse(again.stdout)).toMatchObject({ added: 0, alreadyThere: 99_980, refused: 20 });
  });
});
