// Code that must not compile: `npm run typecheck` fails where an error that is expected here does not occur. Each
// states the number of its error, which refused.test.ts compares. Nothing here runs.
import type { Request } from 'express';
import type {
  CloudVerifierOptions,
  Counters,
  Decryption,
  Ksm,
  Otp,
  RemoteKsmOptions,
  SecondFactor,
  Verification,
  Verifier,
  VerifyOptions,
  YubikeyIdentity,
} from '../../src/index.js';
import {
  CloudVerifier,
  KsmVerifier,
  LocalKsm,
  MemoryStore,
  parseOtp,
  RemoteKsm,
  requireSecondFactor,
  verifySequence,
  YubikeyError,
  YubikeyStrategy,
} from '../../src/index.js';
import { ksmListener, validationListener } from '../../src/server/index.js';
import type { Advance, KeyStore, Page } from '../../src/stores/index.js';
import { PostgresStore, RedisStore, SealedKeyStore, SqliteStore } from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';

declare const verifier: Verifier;
declare const store: MemoryStore;
declare const otp: Otp;
declare const ksm: Ksm;
declare const app: { use(listener: (request: Request) => void): void };
const lookup = ({ publicId }: YubikeyIdentity) => ({ id: publicId });

// The strategy: its options.
// @ts-expect-error TS2769: no verifier
new YubikeyStrategy({}, lookup);
// @ts-expect-error TS2769: a KSM is not a verifier
new YubikeyStrategy({ verifier: new LocalKsm(store.keys) }, lookup);
// @ts-expect-error TS2769: no such option
new YubikeyStrategy({ verifier, otpfield: 'otp' }, lookup);
// @ts-expect-error TS2769: a field has a name
new YubikeyStrategy({ verifier, otpField: 1 }, lookup);
// @ts-expect-error TS2769: the second factor is a switch
new YubikeyStrategy({ verifier, secondFactor: 'user' }, lookup);
// @ts-expect-error TS2769: users are told apart by a string, a number or a bigint
new YubikeyStrategy({ verifier, secondFactor: true, userId: () => ({}) }, lookup);
// @ts-expect-error TS2554: no lookup
new YubikeyStrategy({ verifier });

// The strategy: its lookup.
// @ts-expect-error TS2769: a lookup is a function
new YubikeyStrategy({ verifier }, { id: 'alice' });
// @ts-expect-error TS2769: the identity is not a public ID
new YubikeyStrategy({ verifier }, (publicId: string) => ({ id: publicId }));
// @ts-expect-error TS2769: the identity comes first, unless the request is asked for
new YubikeyStrategy({ verifier }, (req: Request, identity: YubikeyIdentity) => ({ ...identity, req }));
// @ts-expect-error TS2769: the request comes first, when it is asked for
new YubikeyStrategy({ verifier, passReqToCallback: true }, lookup);
// @ts-expect-error TS2554: an identity has no user, so done says which
new YubikeyStrategy({ verifier }, (_identity, done) => done());
// @ts-expect-error TS2345: info is an object
new YubikeyStrategy({ verifier }, (identity, done) => done(null, { id: identity.publicId }, 'Welcome'));

// Middleware.
// @ts-expect-error TS2322: in milliseconds
requireSecondFactor({ maxAge: '15m' });
// @ts-expect-error TS2561: no such option
requireSecondFactor({ redirect: '/login' });

// Verifiers.
// @ts-expect-error TS2345: no client
new CloudVerifier({ apiKey: 'mG5be6ZJU1qBGz24yPh/ESM3UdU=' });
// @ts-expect-error TS2322: servers are a list
new CloudVerifier({ clientId: 1, servers: 'https://api.yubico.com/wsapi/2.0/verify' });
// @ts-expect-error TS2322: protocols have names
new CloudVerifier({ clientId: 1, protocol: '2' });
// @ts-expect-error TS2322: a percentage or one of two words
new CloudVerifier({ clientId: 1, syncLevel: 'slow' });
// @ts-expect-error TS2345: no counters
new KsmVerifier({ ksm });
// @ts-expect-error TS2741: a store of counters, not of keys
new KsmVerifier({ ksm, counters: store.keys });
// @ts-expect-error TS2322: off or set, never merely on
new KsmVerifier({ ksm, counters: store.counters, delayTolerance: false });
// @ts-expect-error TS2345: a KSM speaks one of two protocols
new RemoteKsm({ urls: ['https://ksm.example/'] });
// @ts-expect-error TS2345: an OTP is parsed first
void verifier.verify('cccccccccccbtdlfjvhcgkbhtvkirucfrguidnkvdrjb');
// @ts-expect-error TS2345: presses of one key come as a list
void verifySequence(verifier, otp);
// @ts-expect-error TS2345: an OTP is text
parseOtp(123456);

// A verdict is looked at before it is used.
declare const verification: Verification;
// @ts-expect-error TS2339: there is an identity only where ok
verification.identity;
// @ts-expect-error TS2339: there is a reason only where not ok
verification.reason;
// @ts-expect-error TS2339: where ok, there is no reason
if (verification.ok) verification.reason;
// @ts-expect-error TS2367: not a reason of verifiers
if (!verification.ok && verification.reason === 'CORRUPT_OTP') throw new Error();
// @ts-expect-error TS18048: a validation server need not tell the counters
if (verification.ok) verification.identity.counters.usageCounter;
declare const decryption: Decryption;
// @ts-expect-error TS2339: there are counters only where ok
decryption.counters;
declare const advance: Advance;
// @ts-expect-error TS2339: there is a reason only where nothing advanced
advance.reason;

// What verifiers and parsers made is not changed.
declare const identity: YubikeyIdentity;
// @ts-expect-error TS2540: readonly
identity.publicId = '';
// @ts-expect-error TS2540: readonly
verification.ok = true;
// @ts-expect-error TS2540: readonly
otp.value = '';
declare const counters: Counters;
// @ts-expect-error TS2540: readonly
counters.usageCounter += 1;
// @ts-expect-error TS2540: readonly
store.keys = new MemoryStore().keys;
// @ts-expect-error TS2540: readonly
new SoftYubikey().publicId = '';
declare const page: Page<Otp>;
// @ts-expect-error TS2339: readonly
page.records.push(otp);

// Parts of one's own.
// @ts-expect-error TS2322: a verdict says why it refuses
const silent: Verifier = { verify: async () => ({ ok: false }) };
// @ts-expect-error TS2739: a verdict is promised
const hasty: Verifier = { verify: () => ({ ok: true, identity }) };
// @ts-expect-error TS2741: a key store has all five methods
const short: KeyStore = {
  get: store.keys.get,
  add: store.keys.add,
  list: store.keys.list,
  delete: store.keys.delete,
};
// @ts-expect-error TS2322: amr names the methods of RFC 8176
const amr: SecondFactor['amr'] = ['hwk'];
// @ts-expect-error TS2353: no such option
const options: VerifyOptions = { timeout: 1 };
// @ts-expect-error TS2322: PEM text
const ca: CloudVerifierOptions['ca'] = Buffer.from('');
// @ts-expect-error TS2322: not a protocol of KSMs
const protocol: RemoteKsmOptions['protocol'] = '2.0';
// @ts-expect-error TS2345: not a code of this library
new YubikeyError('E_OTP', 'Wrong');

// Stores and services.
// @ts-expect-error TS2345: no public ID
void store.keys.add({ aesKey: new Uint8Array(16) });
// @ts-expect-error TS2322: bytes, not hexadecimal digits
void store.keys.add({ publicId: 'cc', aesKey: '00112233445566778899aabbccddeeff' });
// @ts-expect-error TS2353: no such field
void store.clients.add({ id: '1', apiKey: new Uint8Array(20), enabled: true });
// @ts-expect-error TS2345: the timestamp belongs to the counters
void store.counters.advance('cc', { usageCounter: 1, sessionUse: 0 });
// @ts-expect-error TS2554: no keyring
new SealedKeyStore(store.keys);
// @ts-expect-error TS2322: not a driver
new SqliteStore({ path: 'keys.db', driver: 'sqlite3' });
// @ts-expect-error TS2353: the pool is the caller's
new PostgresStore({ connectionString: 'postgres://localhost/' });
// @ts-expect-error TS2322: a promise is awaited
new RedisStore({ sendCommand: (key: number) => key });
// @ts-expect-error TS2345: no verifier
validationListener({ clients: store.clients });
// @ts-expect-error TS2345: no counters
ksmListener({ keys: store.keys });
// @ts-expect-error TS2345: a listener writes to the response
app.use(validationListener({ verifier, clients: store.clients }));

export { amr, ca, hasty, options, protocol, short, silent };
