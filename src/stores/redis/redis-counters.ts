import { randomBytes } from 'node:crypto';
import type { Counters } from '../../otp/counters.js';
import { assertAdvance } from '../checks.js';
import { cutPage, readPageOptions } from '../records.js';
import type { Advance, CounterRecord, CounterStore, ListedCounters, Page, PageOptions } from '../store.js';
import { defineScript, type RedisClient, type RedisCommands } from './redis-client.js';
import { RedisIndex } from './redis-index.js';

/**
 * Replies with the new count and the previous row. Everything that can fail comes before the only command that writes. A
 * client may resend the script when the reply is lost: then the write is recognised by its id, and the reply is the
 * same as the first time. The last argument is empty if the public ID may be missing from the index; rows with a write
 * id are always in it.
 */
const ADVANCE = defineScript(`
local row = redis.call('HMGET', KEYS[1], 'usage_counter', 'session_use', 'clock', 'accepted_at', 'accepted_count',
  'nonce', 'write_id', 'previous')
local previous = ''
if row[1] then
  local usage, session = tonumber(row[1]), tonumber(row[2])
  local nextUsage, nextSession = tonumber(ARGV[1]), tonumber(ARGV[2])
  if nextUsage == usage and nextSession == session then
    if ARGV[6] == row[7] then return {'ADVANCED', row[5], row[8]} end
    if ARGV[4] ~= '' and ARGV[4] == row[6] then return {'REPLAYED_REQUEST'} end
  end
  if nextUsage < usage or (nextUsage == usage and nextSession <= session) then return {'REPLAYED_OTP'} end
  previous = table.concat({row[1], row[2], row[3], row[4], row[5]}, ' ')
end
if not row[7] and ARGV[7] == '' then return {'UNLISTED'} end
local count = tostring((tonumber(row[5]) or 0) + 1)
redis.call('HSET', KEYS[1], 'usage_counter', ARGV[1], 'session_use', ARGV[2], 'clock', ARGV[3],
  'nonce', ARGV[4], 'accepted_at', ARGV[5], 'accepted_count', count, 'write_id', ARGV[6], 'previous', previous)
return {'ADVANCED', count, previous}`);

/** Fields of the hash that holds the counters of one key. */
const COUNTER_FIELDS = ['usage_counter', 'session_use', 'clock', 'accepted_at', 'accepted_count', 'nonce'];

type AdvanceReply =
  | [verdict: 'ADVANCED', count: string, previous: string]
  | [verdict: 'REPLAYED_OTP' | 'REPLAYED_REQUEST', count?: undefined, previous?: undefined];

export class RedisCounterStore implements CounterStore {
  readonly #index: RedisIndex;
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
    this.#index = new RedisIndex(`${redis.prefix}counters`);
  }

  async advance(
    publicId: string,
    counters: Counters,
    nonce?: string,
    acceptedAt = new Date(),
    signal?: AbortSignal,
  ): Promise<Advance> {
    assertAdvance(publicId, counters, nonce);
    const { usageCounter, sessionUse, timestamp } = counters;
    const values = [
      usageCounter,
      sessionUse,
      timestamp,
      nonce ?? '',
      acceptedAt.getTime(),
      randomBytes(12).toString('base64url'),
    ];
    const [verdict, count, before] = await this.#redis.call(
      (commands) => this.#runAdvance(commands, publicId, values.map(String)),
      signal,
    );
    if (verdict !== 'ADVANCED') return { advanced: false, reason: verdict };
    return {
      advanced: true,
      current: { usageCounter, sessionUse, timestamp, acceptedAt, acceptedCount: Number(count) },
      previous: before ? parseCounterRecord(before.split(' ')) : undefined,
    };
  }

  async #runAdvance(
    commands: RedisCommands,
    publicId: string,
    values: readonly string[],
  ): Promise<AdvanceReply> {
    const key = this.#rowKey(publicId);
    // Both are sent at once, in this order: a known key does not wait for the index, which may be on another server.
    const indexed = this.#index.add(commands, publicId);
    indexed.catch(() => undefined);
    const answer = (await commands.runScript(ADVANCE, key, [...values, ''])) as AdvanceReply | ['UNLISTED'];
    if (answer[0] !== 'UNLISTED') return answer as AdvanceReply;
    commands.wroteNothing();
    await indexed;
    return (await commands.runScript(ADVANCE, key, [...values, 'listed'])) as AdvanceReply;
  }

  async get(publicId: string): Promise<CounterRecord | undefined> {
    const values = await this.#redis.call((commands) => this.#readValues(commands, publicId));
    return values && parseCounterRecord(values);
  }

  async list(options?: PageOptions): Promise<Page<ListedCounters>> {
    const { after, limit } = readPageOptions(options);
    const rows = await this.#redis.call((commands) =>
      this.#index.read(commands, after, limit + 1, async (publicId) => {
        const values = await this.#readValues(commands, publicId);
        return (
          values && {
            id: publicId,
            listed: { publicId, nonce: values[5] || undefined, ...parseCounterRecord(values) },
          }
        );
      }),
    );
    return cutPage(rows, limit, ({ listed }) => listed);
  }

  async #readValues(commands: RedisCommands, publicId: string): Promise<string[] | undefined> {
    const key = this.#rowKey(publicId);
    const values = await commands.send(key, ['HMGET', key, ...COUNTER_FIELDS]);
    return (values as (string | null)[])[0] === null ? undefined : (values as string[]);
  }

  #rowKey(publicId: string): string {
    return `${this.#redis.prefix}counter:{${publicId}}`;
  }
}

function parseCounterRecord([
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
