import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { encodeModhex } from '../../src/otp/modhex.js';
import { ksmListener, type Listener } from '../../src/server/index.js';
import {
  CachedKeyStore,
  Keyring,
  newMasterKey,
  SealedKeyStore,
  SqliteStore,
} from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { repetitions } from '../support/long/repetitions.js';
import { temporaryFile } from '../support/stores/sqlite-drivers.js';

const TOKENS = repetitions(10_000_000, 1_000_000);
const AT_ONCE = 1_000;
/** One of this many random tokens passes the CRC. */
const ONE_IN = 65_536;

/** Calls the REST listener in this process, behind a body parser, as fast as it can answer. */
function asking(listener: Listener): (otp: string) => Promise<string> {
  return (otp) =>
    new Promise((resolve, reject) => {
      const request = {
        method: 'POST',
        url: '/api/v1/decrypt',
        headers: { 'content-type': 'application/json' },
        socket: { remoteAddress: '127.0.0.1' },
        body: { otp },
      };
      let status = 0;
      const response = {
        headersSent: false,
        writeHead(code: number) {
          status = code;
        },
        end(body: string) {
          const { error_code, private_id_checked } = JSON.parse(body);
          resolve(`${status} ${error_code ?? (private_id_checked ? 'CHECKED' : 'UNCHECKED')}`);
        },
      };
      listener(request as unknown as IncomingMessage, response as unknown as ServerResponse, reject);
    });
}

function quantile(all: readonly number[], part: number): number {
  const sorted = [...all].sort((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) * part)] as number;
}

it(`of ${TOKENS} random tokens for an unpinned key at a REST service, none is decrypted, pins the key or delays its owner`, async () => {
  const store = new SqliteStore({ path: temporaryFile() });
  await store.migrate();
  const keyring = new Keyring({ keys: { first: newMasterKey() }, current: 'first' });
  const keys = new CachedKeyStore(new SealedKeyStore(store.keys, keyring));
  const yubikey = new SoftYubikey();
  const { publicId, aesKey } = yubikey;
  await keys.add({ publicId, aesKey });
  const ask = asking(ksmListener({ keys, counters: store.counters }));

  const told: Record<string, number> = {};
  const milliseconds: number[] = [];
  const first = yubikey.press();
  expect(await ask(first)).toBe('422 PRIVATE_ID_UNKNOWN');
  for (let sent = 0; sent < TOKENS; sent += AT_ONCE) {
    const bytes = randomBytes(16 * AT_ONCE);
    const tokens = Array.from({ length: AT_ONCE }, (_, n) =>
      encodeModhex(bytes.subarray(16 * n, 16 * (n + 1))),
    );
    // The owner repeats one OTP, so that the key stays unpinned. It is compared like a fresh OTP.
    const startedAt = performance.now();
    expect(await ask(first)).toBe('409 REPLAY_DETECTED');
    milliseconds.push(performance.now() - startedAt);
    for (const answer of await Promise.all(tokens.map((token) => ask(publicId + token)))) {
      told[answer] = (told[answer] ?? 0) + 1;
    }
  }

  const { '422 DECRYPTION_FAILED': refused = 0, '422 PRIVATE_ID_UNKNOWN': passed = 0, ...others } = told;
  const tenth = milliseconds.length / 10;
  const [before, after] = [milliseconds.slice(0, tenth), milliseconds.slice(-tenth)];
  const latency = (all: number[]) =>
    `${quantile(all, 0.5).toFixed(1)} (median) and ${quantile(all, 0.99).toFixed(1)} (99 %)`;
  console.log(
    `${TOKENS} random tokens: ${passed} passed the CRC, none was decrypted; ` +
      `the owner's answers took ${latency(before)} ms at the beginning, ${latency(after)} ms at the end`,
  );
  expect(others).toEqual({});
  expect(quantile(after, 0.5)).toBeLessThan(10 * quantile(before, 0.5) + 20);
  expect(refused + passed).toBe(TOKENS);
  const expected = TOKENS / ONE_IN;
  expect(Math.abs(passed - expected)).toBeLessThan(6 * Math.sqrt(expected));
  expect((await store.keys.get(publicId))?.privateId).toBeUndefined();
  expect(await store.counters.get(publicId)).toBeUndefined();
  // Each token that passed the CRC has left a row, and so has the owner.
  const { records } = await store.counters.list({ limit: 2 * passed + 10 });
  expect(records).toHaveLength(passed + 1);

  expect(await ask(yubikey.press())).toBe('200 CHECKED');
  expect(await ask(yubikey.press())).toBe('200 CHECKED');
  expect(Buffer.from((await keys.get(publicId))?.privateId ?? [])).toEqual(Buffer.from(yubikey.privateId));
  await store.close();
});
