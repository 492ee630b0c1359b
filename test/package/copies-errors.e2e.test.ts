import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Otp, Verifier, YubikeyError, YubikeyErrorCode } from '../../src/index.js';
import type { ClientRecord, ClientStore } from '../../src/stores/index.js';
import { type Copy, type CopyName, loadCopies, PAIRS } from '../support/package/copies.js';
import { Machine, ROOT } from '../support/package/machine.js';
import { logIn, signInApp } from '../support/passport/app.js';

/** Every code with its HTTP status, which `docs.test.ts` compares with the code. */
const STATUSES = [
  ...(readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').split('\n## Faults\n')[1] as string).matchAll(
    /^\| `(\w+)` \| (\d{3}) \|/gm,
  ),
].map(([, code, status]): [YubikeyErrorCode, number] => [code as YubikeyErrorCode, Number(status)]);

let machine: Machine;
let copies: Record<CopyName, Copy>;
beforeAll(async () => {
  machine = new Machine(inject('registry'));
  copies = await loadCopies(machine);
}, 120_000);
afterAll(() => machine.remove());

type Fail = () => Promise<never>;

/** What every part of a copy does with an OTP, if the part below it fails. */
const PARTS: Record<string, (copy: Copy, fail: Fail) => Promise<unknown>> = {
  'KsmVerifier, from its KSM': (copy, fail) =>
    new copy.KsmVerifier({ ksm: { decrypt: fail }, counters: new copy.MemoryStore().counters }).verify(
      pressAny(copy),
    ),
  'KsmVerifier, from its counters': async (copy, fail) => {
    const { ksm, otp } = await enrol(copy);
    return new copy.KsmVerifier({ ksm, counters: { advance: fail } }).verify(otp);
  },
  verifySequence: (copy, fail) => {
    const yubikey = new copy.SoftYubikey();
    const otps = [yubikey.press(), yubikey.press()].map(copy.parseOtp);
    return copy.verifySequence({ verify: fail }, otps);
  },
  LocalKsm: (copy, fail) => new copy.LocalKsm({ get: fail }).decrypt(pressAny(copy)),
  'pinPrivateId, from its keys': (copy, fail) =>
    copy.pinPrivateId({ get: fail, replace: fail }, new copy.MemoryStore().counters, pressAny(copy)),
  'pinPrivateId, from its counters': async (copy, fail) => {
    const { store, otp } = await enrol(copy);
    return copy.pinPrivateId(store.keys, { advance: fail }, otp);
  },
  SealedKeyStore: (copy, fail) =>
    new copy.SealedKeyStore(Object.assign(new copy.MemoryStore().keys, { get: fail }), newKeyring(copy)).get(
      '',
    ),
  SealedClientStore: (copy, fail) =>
    new copy.SealedClientStore(
      Object.assign(new copy.MemoryStore().clients, { get: fail }),
      newKeyring(copy),
    ).get('1'),
  CachedKeyStore: (copy, fail) =>
    new copy.CachedKeyStore(Object.assign(new copy.MemoryStore().keys, { get: fail })).get(''),
  CachedClientStore: (copy, fail) =>
    new copy.CachedClientStore(Object.assign(new copy.MemoryStore().clients, { get: fail })).get('1'),
  'RedisStore, from its client': (copy, fail) => new copy.RedisStore({ sendCommand: fail }).migrate(),
  'PostgresStore, from its pool': (copy, fail) =>
    new copy.PostgresStore({
      pool: { connect: (done) => void fail().catch((error) => done(error, undefined)) },
    }).migrate(),
};

interface Answer {
  status: number;
  /** The status of the validation protocol, or the whole body of a KSM. */
  text: string | undefined;
  /** What the listener reported for logs and metrics. */
  reported: unknown;
}

const OTP = 'c'.repeat(44);

/** What each listener of a copy answers, if the part below it fails. */
const LISTENERS: Record<string, (copy: Copy, fail: Fail) => Promise<Answer>> = {
  'validationListener, from its verifier': (copy, fail) => askValidation(copy, { verify: fail }),
  'validationListener, from its clients': (copy, fail) =>
    askValidation(copy, { verify: fail }, { get: fail }),
  'ksmListener at REST, from its keys': (copy, fail) => askKsm(copy, 'rest', fail),
  'ksmListener at REST, from its counters': (copy, fail) => askKsm(copy, 'rest', undefined, fail),
  'ksmListener at wsapi, from its keys': (copy, fail) => askKsm(copy, 'wsapi', fail),
};

async function askValidation(
  copy: Copy,
  verifier: Verifier,
  clients: Pick<ClientStore, 'get'> = { get: async () => CLIENT },
): Promise<Answer> {
  let reported: unknown;
  const listener = copy.validationListener({
    verifier,
    clients,
    onVerification: ({ error, ...event }) => {
      reported = [event.status, event.httpStatus, (error as YubikeyError).code];
    },
  });
  const query = { id: CLIENT.id, nonce: 'n'.repeat(16), otp: OTP };
  const { status, text } = await request(listener).get('/wsapi/2.0/verify').query(query);
  return { status, text: /^status=\w+/m.exec(text)?.[0], reported };
}

async function askKsm(
  copy: Copy,
  protocol: 'rest' | 'wsapi',
  getKey?: Fail,
  advance?: Fail,
): Promise<Answer> {
  let reported: unknown;
  const { store, otp } = await enrol(copy);
  const listener = copy.ksmListener({
    keys: Object.assign(store.keys, getKey && { get: getKey }),
    counters: Object.assign(store.counters, advance && { advance }),
    onRequest: ({ outcome, httpStatus, error }) => {
      reported = [outcome, httpStatus, (error as YubikeyError | undefined)?.code];
    },
  });
  const { status, text } = await (protocol === 'rest'
    ? request(listener).post('/api/v1/decrypt').send({ otp: otp.value })
    : request(listener).get('/wsapi/decrypt').query({ otp: otp.value }));
  return { status, text, reported };
}

const CLIENT: ClientRecord = {
  id: '1',
  apiKey: Buffer.alloc(20, 1),
  notes: '',
  active: true,
  createdAt: new Date(0),
  revision: '',
};

function newKeyring(copy: Copy) {
  return new copy.Keyring({ keys: { k: copy.newMasterKey() }, current: 'k' });
}

function pressAny(copy: Copy): Otp {
  return copy.parseOtp(new copy.SoftYubikey().press());
}

async function enrol(copy: Copy) {
  const store = new copy.MemoryStore();
  const yubikey = new copy.SoftYubikey();
  await store.keys.add(yubikey);
  return { store, ksm: new copy.LocalKsm(store.keys), otp: copy.parseOtp(yubikey.press()) };
}

describe.each(PAIRS)('an error of %s, in %s', (thrower, receiver) => {
  const throwEach = async (check: (error: YubikeyError, status: number) => Promise<void>) => {
    expect(STATUSES.length).toBeGreaterThan(30);
    for (const [code, status] of STATUSES) {
      await check(new copies[thrower].YubikeyError(code, `a fault of ${thrower}`), status);
    }
  };

  it('is an instance of its YubikeyError, with its code and status', () =>
    throwEach(async (error, status) => {
      expect(error.constructor).not.toBe(copies[receiver].YubikeyError);
      expect(error instanceof copies[receiver].YubikeyError).toBe(true);
      expect(error.status).toBe(status);
    }));

  it.each(Object.entries(PARTS))('passes through %s unchanged', (_part, ask) =>
    throwEach(async (error) => {
      const fail = () => Promise.reject(error);
      await expect(ask(copies[receiver], fail)).rejects.toBe(error);
    }),
  );

  it('passes through YubikeyStrategy, and is answered with its HTTP status', () =>
    throwEach(async (error, status) => {
      const verifier = { verify: () => Promise.reject(error) };
      const strategy = new copies[receiver].YubikeyStrategy({ verifier }, () => null);
      const { app, reached } = signInApp(express, strategy);
      await logIn(app, { otp: new copies[thrower].SoftYubikey().press() }).expect(status, {
        code: error.code,
      });
      expect(reached).toHaveLength(1);
      expect((reached[0] as { error: unknown }).error).toBe(error);
    }));

  it.each(Object.entries(LISTENERS))('is answered by %s like an error of its own', (_listener, ask) =>
    throwEach(async (error) => {
      const copy = copies[receiver];
      const own = new copy.YubikeyError(error.code, error.message);
      const answer = await ask(copy, () => Promise.reject(error));
      expect(answer).toEqual(await ask(copy, () => Promise.reject(own)));
      expect(answer.status).toBeGreaterThan(0);
    }),
  );
});
