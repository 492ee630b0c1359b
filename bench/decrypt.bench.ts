import { spawnSync } from 'node:child_process';
import { createDecipheriv, type Decipher } from 'node:crypto';
import { LocalKsm, MemoryStore, parseOtp } from 'passport-yubikey-otp';
import { decodeModhex } from 'passport-yubikey-otp/protocol';
import { compare, ratio } from './compare.js';
import { Otps } from './otps.js';
import { keepReport } from './report.js';

/** Measures decryptions per second on one core, of OTPs of many keys. */
const YUBIKEYS = 1_000;
const COUNT = 500_000;

const otps = new Otps(YUBIKEYS);
const texts = otps.take(100_000);
const store = new MemoryStore();
for (const yubikey of otps.yubikeys) await store.keys.add(yubikey);
const ksm = new LocalKsm(store.keys);

const ours = {
  name: 'parseOtp and LocalKsm.decrypt',
  async measure() {
    const before = performance.now();
    for (let at = 0; at < COUNT; at++) {
      const decryption = await ksm.decrypt(parseOtp(texts[at % texts.length] as string));
      if (!decryption.ok || !decryption.privateIdChecked) throw new Error('an OTP did not decrypt');
    }
    return perSecond(COUNT, before);
  },
};

const blocks = texts.map((text) => decodeModhex(text.slice(-32)));
const aesKeys = otps.yubikeys.map(({ aesKey }) => aesKey);
const newDecipher = (aesKey: Uint8Array) =>
  createDecipheriv('aes-128-ecb', aesKey, null).setAutoPadding(false);
const kept = aesKeys.map(newDecipher);

const keptDecipher = {
  name: 'limit: one kept Decipher a key, the block alone',
  async measure() {
    const before = performance.now();
    for (let at = 0; at < COUNT; at++) {
      const decipher = kept[at % YUBIKEYS] as Decipher;
      const block = decipher.update(blocks[at % blocks.length] as Buffer);
      if (block[0] !== otps.yubikeys[at % YUBIKEYS]?.privateId[0]) throw new Error('a block did not decrypt');
    }
    return perSecond(COUNT, before);
  },
};

const freshDecipher = {
  name: 'a new Decipher each time, the block alone',
  async measure() {
    const before = performance.now();
    for (let at = 0; at < COUNT / 5; at++) {
      const decipher = newDecipher(aesKeys[at % YUBIKEYS] as Uint8Array);
      const block = decipher.update(blocks[at % blocks.length] as Buffer);
      if (block[0] !== otps.yubikeys[at % YUBIKEYS]?.privateId[0]) throw new Error('a block did not decrypt');
    }
    return perSecond(COUNT / 5, before);
  },
};

const PYTHON = `
import sys, time
from binascii import unhexlify
from yubiotp.otp import decode_otp
lines = [line.split() for line in sys.stdin]
pairs = [(token.encode(), unhexlify(key), unhexlify(uid)) for token, key, uid in lines]
before = time.perf_counter()
for token, key, uid in pairs:
    public_id, otp = decode_otp(token, key)
    assert otp.uid == uid
print(len(pairs) / (time.perf_counter() - before))
`;

const python = {
  name: 'python3-yubiotp',
  async measure() {
    const input = texts.slice(0, 20_000).map((text, at) => {
      const { aesKey, privateId } = otps.yubikeys[at % YUBIKEYS] as (typeof otps.yubikeys)[number];
      return `${text} ${Buffer.from(aesKey).toString('hex')} ${Buffer.from(privateId).toString('hex')}`;
    });
    const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', PYTHON], {
      input: input.join('\n'),
      encoding: 'utf8',
    });
    if (!(Number(stdout) > 0)) throw new Error(`python3-yubiotp failed: ${stderr}`);
    return { 'per second': Number(stdout) };
  },
};

function perSecond(count: number, before: number) {
  return { 'per second': (count * 1000) / (performance.now() - before) };
}

const hasPython = spawnSync('/usr/bin/python3', ['-c', 'import yubiotp']).status === 0;
const measured = await compare([keptDecipher, ours, freshDecipher, ...(hasPython ? [python] : [])]);
keepReport({
  bench: 'decrypt',
  measured,
  goals: [
    {
      what: 'parseOtp and LocalKsm.decrypt, of the kept Decipher',
      reached: ratio(measured, 'per second', ours.name, keptDecipher.name),
      atLeast: 0.4,
    },
    ...(hasPython
      ? [
          {
            what: 'parseOtp and LocalKsm.decrypt, of python3-yubiotp',
            reached: ratio(measured, 'per second', ours.name, python.name),
            atLeast: 15,
          },
        ]
      : []),
  ],
  skipped: hasPython ? {} : { [python.name]: 'not installed (Debian: python3-yubiotp)' },
});
