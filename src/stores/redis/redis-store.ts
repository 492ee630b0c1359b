import { YubikeyError } from '../../errors.js';
import { assertOptions, type OptionNames } from '../../options.js';
import { Calls } from '../calls.js';
import { CLIENT, Records, YUBIKEY } from '../records.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from '../store.js';
import { readDurability } from './durability.js';
import { RedisClient, type RedisCommands, type SendCommand } from './redis-client.js';
import { RedisCounterStore } from './redis-counters.js';
import { RedisTable } from './redis-table.js';

export interface RedisStoreOptions {
  /**
   * Sends commands through a client of yours, which stays yours to close. With `redis`:
   * `(_key, command) => client.sendCommand(command)`; with its cluster client:
   * `(key, command) => cluster.sendCommand(key, false, command)`; with `ioredis`, cluster or not:
   * `(_key, [name, ...rest]) => client.call(name, ...rest)`.
   *
   * The client must give up a connection that is silent, and settle each command it was given. Best it rejects what it
   * cannot send at once: what it keeps, it may send when nobody waits any more. For `redis` that is
   * `{ disableOfflineQueue: true, pingInterval: 1_000, socket: { socketTimeout: 5_000, reconnectStrategy } }`, with a
   * `reconnectStrategy` such as `(tries) => Math.min(tries * 50, 2_000)`, since by itself it does not connect again
   * after a `socketTimeout`. For `ioredis` it is
   * `{ maxRetriesPerRequest: 0, enableOfflineQueue: false, socketTimeout: 5_000 }`, to be used from its event `ready` on,
   * and for its cluster a `socketTimeout` in `redisOptions`. Not `autoResendUnfulfilledCommands: false`: that leaves lost
   * commands unsettled.
   *
   * With its defaults, and in a cluster, `ioredis` sends a command again when the answer is lost. A write is known then,
   * and answered as the first time, except where another wrote to the same row in between: an OTP is REPLAYED_OTP after
   * a newer one of its key, `add` and `replace` say false after another change, `add` adds again what was deleted, and
   * `delete` deletes what was added anew. Of the record that it deleted the first time, `delete` says false.
   */
  sendCommand: SendCommand;
  /** What every key in Redis starts with. Default `yubikey-otp:`. */
  prefix?: string | undefined;
  /**
   * Goes on where Redis would forget accepted OTPs: without an append-only file, or where it evicts keys when
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
 * Keys, clients and counters in Redis 6.2 or later, for any number of instances. Each command and script touches
 * one key only, so Redis Cluster will do.
 *
 * How durable a write is, Redis alone decides: {@link migrate}, once at every start, reads that back and says it.
 */
export class RedisStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  readonly #redis: RedisClient;
  readonly #allowReplayAfterCrash: boolean;

  /** @throws TypeError without a function to send commands with, for an unusable timeout, or for an unknown option. */
  constructor(options: RedisStoreOptions) {
    assertOptions('RedisStore', options, OPTION_NAMES);
    const { sendCommand, prefix = 'yubikey-otp:', allowReplayAfterCrash = false, timeout } = options ?? {};
    if (typeof sendCommand !== 'function') throw new TypeError('RedisStore requires sendCommand, a function');
    this.#redis = new RedisClient(sendCommand, prefix, new Calls(timeout));
    this.#allowReplayAfterCrash = allowReplayAfterCrash;
    this.keys = new Records(YUBIKEY, new RedisTable(this.#redis, 'key', YUBIKEY));
    this.clients = new Records(CLIENT, new RedisTable(this.#redis, 'client', CLIENT));
    this.counters = new RedisCounterStore(this.#redis);
  }

  /**
   * Checks that Redis, and of a cluster every master, keeps what it is given, and that this version of the package
   * knows its contents; safe to call again.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE`, `STORE_NOT_MIGRATED` for contents of a newer version, or `STORE_FAILED`
   * when Redis fails or does not answer.
   */
  async migrate(): Promise<Durability> {
    const durability = await this.#redis.setUp((commands) => this.#setUp(commands));
    this.#redis.migrated = true;
    return durability;
  }

  /**
   * Writes durably, and rejects where that fails or takes too long: for a probe of readiness.
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
        `The contents of this Redis have version ${version}, and this package knows versions to ${SCHEMA}: update passport-yubikey-otp`,
      );
    }
    return durability;
  }
}
