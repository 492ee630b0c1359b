import { createHash } from 'node:crypto';
import { YubikeyError } from '../errors.js';
import type { Counters } from '../otp/counters.js';
import { assertCounters } from './assert-counters.js';
import { CLIENT, pageOf, type RecordKind, Records, type Row, type RowTable, YUBIKEY } from './records.js';
import type {
  Advance,
  ClientStore,
  CounterRecord,
  CounterStore,
  Durability,
  KeyStore,
  ListedCounters,
  Page,
  PageOptions,
} from './store.js';

/**
 * Sends one command. `key` is the one key it touches, for clients of Redis Cluster that route by it; undefined
 * for a command about the server.
 */
export type SendCommand = (key: string | undefined, command: string[]) => Promise<unknown>;

export interface RedisStoreOptions {
  /**
   * Sends commands through a client of yours, which stays yours to close. With `redis`:
   * `(_key, command) => client.sendCommand(command)`; with its cluster client:
   * `(key, command) => cluster.sendCommand(key, false, command)`; with `ioredis`, cluster or not:
   * `(_key, [name, ...rest]) => client.call(name, ...rest)`.
   */
  sendCommand: SendCommand;
  /** What every key in Redis starts with. Default `yubikey-otp:`. */
  prefix?: string | undefined;
  /**
   * Goes on where Redis would forget accepted OTPs: without an append-only file, or where it evicts keys when
   * memory runs short. Default false.
   */
  allowReplayAfterCrash?: boolean | undefined;
}

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
  private readonly redis: Redis;
  private readonly allowReplayAfterCrash: boolean;

  /** @throws TypeError without a function to send commands with. */
  constructor({ sendCommand, prefix = 'yubikey-otp:', allowReplayAfterCrash = false }: RedisStoreOptions) {
    if (typeof sendCommand !== 'function') throw new TypeError('RedisStore requires sendCommand, a function');
    this.redis = new Redis(sendCommand, prefix);
    this.allowReplayAfterCrash = allowReplayAfterCrash;
    this.keys = new Records(YUBIKEY, new RedisTable(this.redis, 'key', YUBIKEY));
    this.clients = new Records(CLIENT, new RedisTable(this.redis, 'client', CLIENT));
    this.counters = new RedisCounterStore(this.redis);
  }

  /**
   * Checks that Redis keeps what it is given, and that this version of the package knows its contents; safe to
   * call again.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE`, or `STORE_NOT_MIGRATED` for contents of a newer version.
   */
  async migrate(): Promise<Durability> {
    const durability = durabilityOf(
      String(await this.redis.ask('INFO', 'persistence')),
      String(await this.redis.ask('INFO', 'memory')),
      await this.appendFsync(),
    );
    if (durability.problem !== undefined && !this.allowReplayAfterCrash) {
      const remedy = 'set appendonly yes and maxmemory-policy noeviction';
      throw new YubikeyError('STORE_NOT_DURABLE', `${durability.problem}: ${remedy}`);
    }
    const schema = `${this.redis.prefix}schema`;
    await this.redis.send(schema, ['SET', schema, String(SCHEMA), 'NX']);
    const version = Number(await this.redis.send(schema, ['GET', schema]));
    if (version > SCHEMA) {
      throw new YubikeyError(
        'STORE_NOT_MIGRATED',
        `The contents of this Redis have version ${version}, and this package knows versions to ${SCHEMA}: update passport-yubikey-otp`,
      );
    }
    this.redis.migrated = true;
    return { durable: durability.durable, statement: durability.statement };
  }

  /** Undefined where CONFIG is not allowed, as with hosted Redis. */
  private async appendFsync(): Promise<string | undefined> {
    try {
      const answer = await this.redis.ask('CONFIG', 'GET', 'appendfsync');
      return Array.isArray(answer) ? String(answer[1]) : (answer as { appendfsync?: string }).appendfsync;
    } catch {
      return undefined;
    }
  }
}

function durabilityOf(
  persistence: string,
  memory: string,
  appendFsync: string | undefined,
): Durability & { problem?: string } {
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1] ?? 'unknown';
  if (!/^aof_enabled:1/m.test(persistence)) {
    const problem =
      'This Redis has no append-only file: after a restart, accepted OTPs would be accepted again';
    return { durable: false, statement: problem, problem };
  }
  if (policy !== 'noeviction') {
    const problem = `This Redis evicts keys when memory runs short (maxmemory-policy ${policy}): accepted OTPs would be accepted again`;
    return { durable: false, statement: problem, problem };
  }
  if (appendFsync === 'always') {
    const statement =
      'Redis with appendonly=yes and appendfsync=always: an accepted OTP is on disk before it is answered (a failover to a replica may still lose the last ones)';
    return { durable: true, statement };
  }
  const statement = `Redis with appendonly=yes and appendfsync=${appendFsync ?? 'unknown'}: ${
    appendFsync === 'no' || appendFsync === undefined
      ? 'a crash of the machine can lose what was written since the system last wrote to disk'
      : 'a crash of the machine can lose the last second'
  }, and OTPs that were accepted in it would be accepted again`;
  return { durable: false, statement };
}

/** Commands, scripts and names. */
class Redis {
  migrated = false;

  constructor(
    readonly send: SendCommand,
    readonly prefix: string,
  ) {}

  ask(...command: string[]): Promise<unknown> {
    return this.send(undefined, command);
  }

  /** @throws YubikeyError `STORE_NOT_MIGRATED` */
  async command(name: string, key: string, ...args: string[]): Promise<unknown> {
    this.assertMigrated();
    return this.send(key, [name, key, ...args]);
  }

  /** Runs a script over one key, which sends the text only where Redis has not seen it yet. */
  async script(script: Script, key: string, args: readonly string[]): Promise<unknown> {
    this.assertMigrated();
    try {
      return await this.send(key, ['EVALSHA', script.sha1, '1', key, ...args]);
    } catch (error) {
      if (!String((error as Error).message).includes('NOSCRIPT')) throw error;
      return this.send(key, ['EVAL', script.text, '1', key, ...args]);
    }
  }

  private assertMigrated(): void {
    if (!this.migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using RedisStore');
  }
}

interface Script {
  readonly text: string;
  readonly sha1: string;
}

function scriptOf(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

const ADD = scriptOf(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1`);

const REPLACE = scriptOf(`
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end
local created = redis.call('HGET', KEYS[1], 'created_at')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('HSET', KEYS[1], 'created_at', created)
return 1`);

/** Answers what it replaced, then the new count. An absent field is false in Lua, which would end the answer. */
const ADVANCE = scriptOf(`
local last = redis.call('HMGET', KEYS[1], 'usage_counter', 'session_use', 'clock', 'nonce', 'accepted_at', 'accepted_count')
if last[1] then
  local usage, session = tonumber(last[1]), tonumber(last[2])
  local nextUsage, nextSession = tonumber(ARGV[1]), tonumber(ARGV[2])
  if nextUsage < usage or (nextUsage == usage and nextSession <= session) then
    if nextUsage == usage and nextSession == session and ARGV[4] ~= '' and ARGV[4] == last[4] then
      return {'REPLAYED_REQUEST'}
    end
    return {'REPLAYED_OTP'}
  end
end
redis.call('HSET', KEYS[1], 'usage_counter', ARGV[1], 'session_use', ARGV[2], 'clock', ARGV[3],
  'nonce', ARGV[4], 'accepted_at', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'accepted_count', 1)
if not last[1] then return {'ADVANCED'} end
return {'ADVANCED', last[1], last[2], last[3], last[5], last[6]}`);

/**
 * The ids there are, in order. A hash and its index are two keys, so they cannot be written together: the index
 * is written first, and entries without a hash are passed over.
 */
class RedisIndex {
  constructor(
    private readonly redis: Redis,
    private readonly key: string,
  ) {}

  async add(id: string): Promise<void> {
    await this.redis.command('ZADD', this.key, '0', id);
  }

  async remove(id: string): Promise<void> {
    await this.redis.command('ZREM', this.key, id);
  }

  async list(after: string | undefined, limit: number): Promise<string[]> {
    const from = after === undefined ? '-' : `(${after}`;
    return (await this.redis.command(
      'ZRANGEBYLEX',
      this.key,
      from,
      '+',
      'LIMIT',
      '0',
      String(limit),
    )) as string[];
  }

  /** Reads `limit` hashes behind `after`, as far as there are so many. */
  async read<T>(
    after: string | undefined,
    limit: number,
    get: (id: string) => Promise<T | undefined>,
  ): Promise<T[]> {
    const found: T[] = [];
    let last = after;
    while (found.length < limit) {
      const ids = await this.list(last, limit);
      const values = await Promise.all(ids.map(get));
      found.push(...values.filter((value) => value !== undefined));
      if (ids.length < limit) break;
      last = ids.at(-1);
    }
    return found.slice(0, limit);
  }
}

class RedisTable implements RowTable {
  private readonly index: RedisIndex;
  private readonly secretNames: readonly string[];
  private readonly fields: readonly string[];

  constructor(
    private readonly redis: Redis,
    private readonly name: string,
    { secretNames }: Pick<RecordKind<unknown, unknown>, 'secretNames'>,
  ) {
    this.index = new RedisIndex(redis, `${redis.prefix}${name}s`);
    this.secretNames = secretNames;
    this.fields = ['notes', 'active', 'created_at', 'revision', ...secretNames];
  }

  async get(id: string): Promise<Row | undefined> {
    const values = (await this.redis.command('HMGET', this.keyOf(id), ...this.fields)) as (string | null)[];
    const [notes, active, createdAt, revision, ...secrets] = values;
    if (typeof revision !== 'string') return undefined;
    return {
      id,
      secrets: secrets.map((secret) =>
        typeof secret === 'string' ? Buffer.from(secret, 'base64') : undefined,
      ),
      notes: notes ?? '',
      active: active === '1',
      createdAt: new Date(Number(createdAt)),
      revision,
    };
  }

  async add(row: Row): Promise<boolean> {
    await this.index.add(row.id);
    const isNew = (await this.redis.script(ADD, this.keyOf(row.id), this.fieldsOf(row))) === 1;
    // Again, since a delete of the same id may have come in between.
    if (isNew) await this.index.add(row.id);
    return isNew;
  }

  async replace(row: Row, revision: string): Promise<boolean> {
    return (await this.redis.script(REPLACE, this.keyOf(row.id), [revision, ...this.fieldsOf(row)])) === 1;
  }

  async list(after: string | undefined, limit: number): Promise<Row[]> {
    return this.index.read(after, limit, (id) => this.get(id));
  }

  async delete(id: string): Promise<boolean> {
    const wasThere = (await this.redis.command('DEL', this.keyOf(id))) === 1;
    await this.index.remove(id);
    return wasThere;
  }

  private keyOf(id: string): string {
    return `${this.redis.prefix}${this.name}:{${id}}`;
  }

  private fieldsOf({ secrets, notes, active, createdAt, revision }: Row): string[] {
    const common = ['notes', notes, 'active', active ? '1' : '0', 'created_at', String(createdAt.getTime())];
    const sealed = secrets.flatMap((secret, at) =>
      secret ? [this.secretNames[at] as string, Buffer.from(secret).toString('base64')] : [],
    );
    return [...common, 'revision', revision, ...sealed];
  }
}

const COUNTER_FIELDS = ['usage_counter', 'session_use', 'clock', 'accepted_at', 'accepted_count', 'nonce'];

class RedisCounterStore implements CounterStore {
  private readonly index: RedisIndex;

  constructor(private readonly redis: Redis) {
    this.index = new RedisIndex(redis, `${redis.prefix}counters`);
  }

  async advance(
    publicId: string,
    counters: Counters,
    nonce?: string,
    acceptedAt = new Date(),
  ): Promise<Advance> {
    assertCounters(counters);
    const { usageCounter, sessionUse, timestamp } = counters;
    const values = [usageCounter, sessionUse, timestamp, nonce ?? '', acceptedAt.getTime()].map(String);
    // Both are sent at once, in this order.
    const [, answer] = await Promise.all([
      this.index.add(publicId),
      this.redis.script(ADVANCE, this.keyOf(publicId), values),
    ]);
    const [verdict, ...last] = answer as string[];
    if (verdict === 'REPLAYED_OTP' || verdict === 'REPLAYED_REQUEST')
      return { advanced: false, reason: verdict };
    const previous = last.length > 0 ? counterRecord(last) : undefined;
    const acceptedCount = (previous?.acceptedCount ?? 0) + 1;
    return {
      advanced: true,
      current: { usageCounter, sessionUse, timestamp, acceptedAt, acceptedCount },
      previous,
    };
  }

  async get(publicId: string): Promise<CounterRecord | undefined> {
    const values = await this.valuesOf(publicId);
    return values && counterRecord(values);
  }

  async list({ after, limit = 100 }: PageOptions = {}): Promise<Page<ListedCounters>> {
    const rows = await this.index.read(after, limit + 1, async (publicId) => {
      const values = await this.valuesOf(publicId);
      return (
        values && {
          id: publicId,
          listed: { publicId, nonce: values[5] || undefined, ...counterRecord(values) },
        }
      );
    });
    return pageOf(rows, limit, ({ listed }) => listed);
  }

  private async valuesOf(publicId: string): Promise<string[] | undefined> {
    const values = await this.redis.command('HMGET', this.keyOf(publicId), ...COUNTER_FIELDS);
    return (values as (string | null)[])[0] === null ? undefined : (values as string[]);
  }

  private keyOf(publicId: string): string {
    return `${this.redis.prefix}counter:{${publicId}}`;
  }
}

function counterRecord([
  usageCounter,
  sessionUse,
  timestamp,
  acceptedAt,
  acceptedCount,
]: readonly string[]): CounterRecord {
  return {
    usageCounter: Number(usageCounter),
    sessionUse: Number(sessionUse),
    timestamp: Number(timestamp),
    acceptedAt: new Date(Number(acceptedAt)),
    acceptedCount: Number(acceptedCount),
  };
}
