import {
  appendedOtp,
  CloudVerifier,
  KsmVerifier,
  LocalKsm,
  parseOtp,
  RemoteKsm,
  requireSecondFactor,
  splitAppendedOtp,
  verifySequence,
  YubikeyError,
  YubikeyStrategy,
  type YubikeyStrategyOptions,
} from '../../../src/index.js';
import { ksmListener, validationListener } from '../../../src/server/index.js';
import {
  CachedClientStore,
  CachedKeyStore,
  type CounterStore,
  Keyring,
  MemoryStore,
  newMasterKey,
  PostgresStore,
  type RecordStore,
  RedisStore,
  readPageOptions,
  SealedClientStore,
  SealedKeyStore,
  SqliteStore,
} from '../../../src/stores/index.js';
import { describeStoreContract, describeVerifierContract, SoftYubikey } from '../../../src/testing/index.js';

/** A function or constructor that refuses unknown options. */
export interface ClosedDoor {
  readonly takes: string;
  /** Valid options. */
  readonly good: object;
  /** Calls it with these options. */
  open(options: never): unknown;
  /** The option that its error names as required if it is not given an object. */
  readonly requires?: string | undefined;
  /** Other values that it accepts instead of options. */
  readonly instead?: readonly unknown[] | undefined;
}

const store = new MemoryStore();
const { keys, clients, counters } = store;
const ksm = new LocalKsm(keys);
const verifier = new KsmVerifier({ ksm, counters });
const keyring = new Keyring({ keys: { a: newMasterKey() }, current: 'a' });
const database = { prepare: () => ({ all: () => [] }), exec: () => undefined };
const pool = { connect: () => undefined };
const sendCommand = async () => null;
const runner = { describe: () => undefined, it: () => undefined };
const otp = () => parseOtp(new SoftYubikey().press());
const cloud = { clientId: 1, servers: ['http://localhost:9/'], dangerouslyAllowForgeableAnswers: true };

/** Stores without a database, which fail only after they have checked their options. */
const engines = {
  MemoryStore: store,
  SqliteStore: new SqliteStore({ database }),
  PostgresStore: new PostgresStore({ pool }),
  RedisStore: new RedisStore({ sendCommand }),
};

function listDoor(records: Pick<RecordStore<unknown, unknown> | CounterStore, 'list'>): ClosedDoor {
  return {
    takes: 'PageOptions',
    good: { after: 'cccc', limit: 5 },
    open: (options) => records.list(options),
  };
}

export const CLOSED: Readonly<Record<string, ClosedDoor>> = {
  YubikeyStrategy: {
    takes: 'YubikeyStrategyOptions',
    good: { verifier },
    open: (options: YubikeyStrategyOptions & { passReqToCallback: false }) =>
      new YubikeyStrategy(options, () => false),
    requires: 'verifier',
  },
  requireSecondFactor: {
    takes: 'RequireSecondFactorOptions',
    good: { maxAge: 60_000 },
    open: (options) => requireSecondFactor(options),
  },
  appendedOtp: {
    takes: 'AppendedOtpOptions',
    good: { publicIdLength: 12 },
    open: (options) => appendedOtp('password', options),
  },
  splitAppendedOtp: {
    takes: 'AppendedOtpOptions',
    good: { publicIdLength: 12 },
    open: (options) => splitAppendedOtp('password', options),
  },
  CloudVerifier: {
    takes: 'CloudVerifierOptions',
    good: cloud,
    open: (options) => new CloudVerifier(options),
    requires: 'clientId',
  },
  'CloudVerifier.verify': {
    takes: 'VerifyOptions',
    good: { nonce: '0123456789abcdef', signal: AbortSignal.abort() },
    open: (options) => new CloudVerifier(cloud).verify(otp(), options),
  },
  KsmVerifier: {
    takes: 'KsmVerifierOptions',
    good: { ksm, counters },
    open: (options) => new KsmVerifier(options),
    requires: 'ksm',
  },
  'KsmVerifier.delayTolerance': {
    takes: 'DelayTolerance',
    good: { absolute: 10_000 },
    open: (delayTolerance) => new KsmVerifier({ ksm, counters, delayTolerance }),
    instead: [true, null],
  },
  'KsmVerifier.verify': {
    takes: 'VerifyOptions',
    good: { nonce: '0123456789abcdef' },
    open: (options) => verifier.verify(otp(), options),
  },
  'LocalKsm.decrypt': {
    takes: 'DecryptOptions',
    good: { signal: new AbortController().signal },
    open: (options) => new LocalKsm(new MemoryStore().keys).decrypt(otp(), options),
  },
  'RemoteKsm.decrypt': {
    takes: 'DecryptOptions',
    good: { signal: AbortSignal.abort() },
    open: (options) =>
      new RemoteKsm({ urls: ['https://ksm.example/'], protocol: 'wsapi' }).decrypt(otp(), options),
  },
  verifySequence: {
    takes: 'SequenceOptions',
    good: { window: 1000 },
    open: (options) => verifySequence(verifier, [otp(), otp()], options),
  },
  RemoteKsm: {
    takes: 'RemoteKsmOptions',
    good: { urls: ['https://ksm.example/'], protocol: 'rest' },
    open: (options) => new RemoteKsm(options),
    requires: 'urls',
  },
  Keyring: {
    takes: 'KeyringOptions',
    good: { keys: { a: newMasterKey() }, current: 'a' },
    open: (options) => new Keyring(options),
    requires: 'keys',
  },
  SqliteStore: {
    takes: 'SqliteStoreOptions',
    good: { database },
    open: (options) => new SqliteStore(options),
    requires: 'path',
  },
  PostgresStore: {
    takes: 'PostgresStoreOptions',
    good: { pool },
    open: (options) => new PostgresStore(options),
    requires: 'pool',
  },
  RedisStore: {
    takes: 'RedisStoreOptions',
    good: { sendCommand },
    open: (options) => new RedisStore(options),
    requires: 'sendCommand',
  },
  ...Object.fromEntries(
    Object.entries(engines).flatMap(([name, engine]) =>
      (['keys', 'clients', 'counters'] as const).map((kind) => [
        `${name}.${kind}.list`,
        listDoor(engine[kind]),
      ]),
    ),
  ),
  'SealedKeyStore.list': listDoor(new SealedKeyStore(keys, keyring)),
  'SealedClientStore.list': listDoor(new SealedClientStore(clients, keyring)),
  'CachedKeyStore.list': listDoor(new CachedKeyStore(keys)),
  'CachedClientStore.list': listDoor(new CachedClientStore(clients)),
  readPageOptions: {
    takes: 'PageOptions',
    good: { after: 'cccc', limit: 5 },
    open: (options) => readPageOptions(options),
  },
  ksmListener: {
    takes: 'KsmListenerOptions',
    good: { keys, counters },
    open: (options) => ksmListener(options),
    requires: 'keys',
  },
  validationListener: {
    takes: 'ValidationListenerOptions',
    good: { verifier, clients },
    open: (options) => validationListener(options),
    requires: 'verifier',
  },
  SoftYubikey: {
    takes: 'SoftYubikeyOptions',
    good: { usageCounter: 7 },
    open: (options) => new SoftYubikey(options),
  },
  'SoftYubikey.press': {
    takes: 'PressOptions',
    good: { capsLock: true },
    open: (options) => new SoftYubikey().press(options),
  },
  describeStoreContract: {
    takes: 'StoreContractOptions',
    good: { open: async () => ({ ...store, close: async () => undefined }) },
    open: (options) => describeStoreContract(runner, 'store', options),
    requires: 'open',
  },
  describeVerifierContract: {
    takes: 'VerifierContractOptions',
    good: { open: async () => ({ verifier, close: () => undefined }) },
    open: (options) => describeVerifierContract(runner, 'verifier', options),
    requires: 'open',
  },
  YubikeyError: {
    takes: 'YubikeyErrorOptions',
    good: { cause: new Error('the cause') },
    open: (options) => new YubikeyError('KSM_FAILED', 'The KSM failed', options),
  },
};
