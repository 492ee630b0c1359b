import { YubikeyError } from '../../errors.js';
import { assertOptions, type OptionNames } from '../../options.js';
import { OpenCalls } from '../open-calls.js';
import { CLIENT, createClientStore, createKeyStore, YUBIKEY } from '../records.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from '../store.js';
import { readDurability } from './durability.js';
import { RedisClient, type RedisCommands, type SendCommand } from './redis-client.js';
import { RedisCounterStore } from './redis-counters.js';
import { RedisTable } from './redis-table.js';

export interface RedisStoreOptions {
  /**
   * Sends commands through your client, which stays yours to close. With `redis`:
   * `(_key, command) => client.sendCommand(command)`; with its cluster client:
   * `(key, command) => cluster.sendCommand(key, false, command)`; with `ioredis`, cluster or not:
   * `(_key, [name, ...rest]) => client.call(name, ...rest)`.
   *
   * The client must give up a silent connection, and settle every command. It should reject commands that it cannot
   * send at once: those that it queues, it may send after the caller has given up. For `redis`, set
   * `{ disableOfflineQueue: true, pingInterval: 1_000, socket: { socketTimeout: 5_000, reconnectStrategy } }`, with a
   * `reconnectStrategy` such as `(tries) => Math.min(tries * 50, 2_000)`, since by default it does not reconnect
   * after a `socketTimeout`. For `ioredis`, set
   * `{ maxRetriesPerRequest: 0, enableOfflineQueue: false, socketTimeout: 5_000 }`, and use it after its `ready` event;
   * for its cluster, set `socketTimeout` in `redisOptions`. Do not set `autoResendUnfulfilledCommands: false`: it leaves
   * lost commands unsettled.
   *
   * With its defaults, and in a cluster, `ioredis` resends a command whose answer is lost. The store recognises such a
   * write and answers as the first time, unless another call wrote to the same row in between: then an OTP is
   * REPLAYED_OTP if a newer one of its key was accepted, `add` and `replace` return false after another change, `add`
   * adds a deleted record again, and `delete` deletes a record that was added again. `delete` returns false for the
   * record that its first attempt deleted.
   */
  sendCommand: SendCommand;
  /** Prefix of every key in Redis. Default `yubikey-otp:`. */
  prefix?: string | undefined;
  /**
   * Accept a Redis that would forget accepted OTPs: one without an append-only file, or one that evicts keys when
   * memory runs short. Default false.
   */
  allowReplayAfterCrash?: boolean | undefined;
  /** Milliseconds that a call waits for its answer, whatever the client does. Default 5,000. */
  timeout?: number | undefined;
}

const OPTION_NAMES: OptionNames<RedisStoreOptions> = {
  sendCommand: true,
  prefix: true,
  allowReplayAfterCrash: true,
  timeout: true,
};

const SCHEMA = 1;

/**
 * Keys, clients and counters in Redis 6.2 or later, for any number of instances of an application. Each command and
 * script touches a single key, so Redis Cluster works too.
 *
 * How durable a write is depends on the settings of Redis: {@link migrate}, to be called once at every start, reads and
 * reports them.
 */
export class RedisStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  readonly #redis: RedisClient;
  readonly #allowReplayAfterCrash: boolean;

  /** @throws TypeError without `sendCommand`, for an invalid timeout, or for an unknown option. */
  constructor(options: RedisStoreOptions) {
    assertOptions('RedisStore', options, OPTION_NAMES);
    const { sendCommand, prefix = 'yubikey-otp:', allowReplayAfterCrash = false, timeout } = options ?? {};
    if (typeof sendCommand !== 'function') throw new TypeError('RedisStore requires sendCommand, a function');
    this.#redis = new RedisClient(sendCommand, prefix, new OpenCalls('RedisStore', timeout));
    this.#allowReplayAfterCrash = allowReplayAfterCrash;
    this.keys = createKeyStore(new RedisTable(this.#redis, 'key', YUBIKEY));
    this.clients = createClientStore(new RedisTable(this.#redis, 'client', CLIENT));
    this.counters = new RedisCounterStore(this.#redis);
  }

  /**
   * Checks that Redis (in a cluster, every master) keeps what is written to it, and that this version of the package
   * can read its contents. Safe to call again.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE`, `STORE_NOT_MIGRATED` for contents of a newer version, or `STORE_FAILED`
   * if Redis fails or does not answer.
   */
  async migrate(): Promise<Durability> {
    const durability = await this.#redis.setUp((commands) => this.#setUp(commands));
    this.#redis.migrated = true;
    return durability;
  }

  /**
   * For health checks: writes a key of its own, and rejects if that fails or takes too long.
   *
   * @throws YubikeyError `STORE_FAILED`, or `STORE_NOT_MIGRATED` before {@link migrate}.
   */
  async probe(): Promise<void> {
    const key = `${this.#redis.prefix}probe`;
    await this.#redis.call((commands) => commands.send(key, ['SET', key, String(Date.now())]));
  }

  async #setUp(commands: RedisCommands): Promise<Durability> {
    const { problem, isCluster, ...durability } = await readDurability(commands);
    this.#redis.unanswered.isCluster = isCluster;
    if (problem !== undefined && !this.#allowReplayAfterCrash) {
      const remedy = 'set appendonly yes and maxmemory-policy noeviction';
      throw new YubikeyError('STORE_NOT_DURABLE', `${problem}: ${remedy}`);
    }
    const schema = `${this.#redis.prefix}schema`;
    await commands.send(schema, ['SET', schema, String(SCHEMA), 'NX']);
    const version = Number(await commands.send(schema, ['GET', schema]));
    if (version > SCHEMA) {
      throw new YubikeyError(
        'STORE_NOT_MIGRATED',
        `The contents of this Redis have version ${version}, but this package knows versions up to ${SCHEMA}: update passport-yubikey-otp`,
      );
    }
    return durability;
  }
}
