import express from 'express';
import request from 'supertest';
import {
  KsmVerifier,
  LocalKsm,
  MemoryStore,
  parseOtp,
  YubikeyError,
  YubikeyStrategy,
} from '../../../src/index.js';
import type { ProtocolVersion } from '../../../src/protocol/paths.js';
import { ksmListener, validationListener } from '../../../src/server/index.js';
import { logIn, signInApp } from '../passport/app.js';
import { decrypt, serve, wsapi } from '../server/ksm/service.js';
import type { Stores } from '../server/ksm/stores.js';
import { CLIENT, newNonce, PATHS, readAnswerField } from '../server/validation/service.js';

/** The answer of a door for an OTP, in words that are common to all doors. */
export type Said = 'OK' | 'REPLAYED' | 'CORRUPT' | 'UNPINNED';

/** Sends an OTP to an opened door. */
export type Ask = (otp: string) => Promise<Said>;

export interface Door {
  readonly name: string;
  /** Whether it accepts the same OTP again, like a KSM that leaves replays to a validation server. */
  readonly isStateless?: boolean | undefined;
  /** Whether two OTPs pin a key. */
  readonly pins?: boolean | undefined;
  open(stores: Stores, options: { allowUnpinnedKeys: boolean }): Promise<Ask>;
}

/** Every interface of this package that accepts OTPs. */
export const DOORS: readonly Door[] = [
  {
    name: 'KsmVerifier',
    open: async ({ keys, counters }, options) => {
      const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters, ...options });
      return async (otp) => {
        try {
          const verification = await verifier.verify(parseOtp(otp));
          return verification.ok ? 'OK' : said(verification.reason);
        } catch (error) {
          return said(error instanceof YubikeyError ? error.code : String(error));
        }
      };
    },
  },
  {
    name: 'YubikeyStrategy',
    open: async ({ keys, counters }, options) => {
      const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters, ...options });
      const reasons: string[] = [];
      const noting = {
        verify: async (otp: Parameters<typeof verifier.verify>[0]) => {
          const verification = await verifier.verify(otp);
          if (!verification.ok) reasons.push(verification.reason);
          return verification;
        },
      };
      const strategy = new YubikeyStrategy({ verifier: noting }, async ({ publicId }) => ({ id: publicId }));
      const { app } = signInApp(express, strategy);
      return async (otp) => {
        const { status, body } = await logIn(app, { otp });
        if (status === 200) return 'OK';
        // The response does not tell why.
        return said(status === 401 ? reasons.at(-1) : body.code);
      };
    },
  },
  {
    name: 'REST',
    pins: true,
    open: async ({ keys, counters }, options) => {
      const url = await serve(ksmListener({ keys, counters, ...options }));
      return async (otp) => {
        const { status, body } = await decrypt({ url }, otp);
        return status === 200 ? 'OK' : said(body.error_code);
      };
    },
  },
  { name: 'wsapi', isStateless: true, open: openWsapi(false) },
  { name: 'wsapi with refuseWsapiReplays', open: openWsapi(true) },
  ...(['1.0', '1.1', '2.0'] as const).map((version) => ({
    name: `validation ${version}`,
    open: openValidation(version),
  })),
];

function openWsapi(refuseWsapiReplays: boolean): Door['open'] {
  return async ({ keys, counters }, options) => {
    const url = await serve(ksmListener({ keys, counters, ...options, refuseWsapiReplays }));
    return async (otp) => {
      const { text } = await wsapi({ url }, otp);
      return text.startsWith('OK ') ? 'OK' : said(text.trim());
    };
  };
}

function openValidation(version: ProtocolVersion): Door['open'] {
  return async ({ keys, counters }, options) => {
    const { clients } = new MemoryStore();
    await clients.add({ id: CLIENT.id, apiKey: Buffer.from(CLIENT.apiKey, 'base64') });
    const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters, ...options });
    const url = await serve(validationListener({ verifier, clients }));
    return async (otp) => {
      const nonce = version === '2.0' ? { nonce: newNonce() } : {};
      const { text } = await request(url)
        .get(PATHS[version])
        .query({ id: CLIENT.id, otp, ...nonce });
      const status = readAnswerField(text, 'status');
      return status === 'OK' ? 'OK' : said(status);
    };
  };
}

const WORDS: Readonly<Record<string, Said>> = {
  REPLAYED_OTP: 'REPLAYED',
  REPLAY_DETECTED: 'REPLAYED',
  'ERR Replayed OTP': 'REPLAYED',
  BAD_OTP: 'CORRUPT',
  DECRYPTION_FAILED: 'CORRUPT',
  'ERR Corrupt OTP': 'CORRUPT',
  PRIVATE_ID_UNCHECKED: 'UNPINNED',
  PRIVATE_ID_UNKNOWN: 'UNPINNED',
  'ERR Private ID unknown': 'UNPINNED',
  // A validation server's status for a configuration that its administrator must fix.
  BACKEND_ERROR: 'UNPINNED',
};

function said(word: unknown): Said {
  const known = WORDS[String(word)];
  if (known === undefined) throw new Error(`Unknown answer of a door: ${word}`);
  return known;
}
