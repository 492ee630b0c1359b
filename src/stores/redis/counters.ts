import type { Counters } from '../../otp/counters.js';
import { assertAdvance } from '../assert-advance.js';
import { pageOf, pageOptionsOf } from '../records.js';
import type { Advance, CounterRecord, CounterStore, ListedCounters, Page, PageOptions } from '../store.js';
import { type Redis, scriptOf } from './commands.js';
import { RedisIndex } from './ids.js';

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

/** Counters, a hash for each key. */
const COUNTER_FIELDS = ['usage_counter', 'session_use', 'clock', 'accepted_at', 'accepted_count', 'nonce'];

export class RedisCounterStore implements CounterStore {
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
    assertAdvance(publicId, counters, nonce);
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

  async list(options?: PageOptions): Promise<Page<ListedCounters>> {
    const { after, limit } = pageOptionsOf(options);
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
