import type { RecordKind, Row, RowTable } from '../records.js';
import { defineScript, type RedisClient, type RedisCommands } from './redis-client.js';
import { RedisIndex } from './redis-index.js';

/**
 * A script that a client resends is recognised by its revision, and replied to as the first time. The arguments are
 * the new revision, then alternating fields and values.
 */
const ADD = defineScript(`
if redis.call('HGET', KEYS[1], 'revision') == ARGV[1] then return 1 end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[1], unpack(ARGV, 2))
return 1`);

/** The arguments are the new revision, the old one, the number of fields to delete, these fields, then as above. */
const REPLACE = defineScript(`
local revision = redis.call('HGET', KEYS[1], 'revision')
if revision == ARGV[1] then return 1 end
if revision ~= ARGV[2] then return 0 end
local gone = tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'revision', ARGV[1], unpack(ARGV, 4 + gone))
if gone > 0 then redis.call('HDEL', KEYS[1], unpack(ARGV, 4, 3 + gone)) end
return 1`);

/** Records of one kind, each a hash, with its secrets in base64. */
export class RedisTable implements RowTable {
  readonly #index: RedisIndex;
  readonly #secretNames: readonly string[];
  readonly #fields: readonly string[];
  readonly #redis: RedisClient;
  readonly #name: string;

  constructor(
    redis: RedisClient,
    name: string,
    { secretNames }: Pick<RecordKind<unknown, unknown>, 'secretNames'>,
  ) {
    this.#redis = redis;
    this.#name = name;
    this.#index = new RedisIndex(`${redis.prefix}${name}s`);
    this.#secretNames = secretNames;
    this.#fields = ['notes', 'active', 'created_at', 'revision', ...secretNames];
  }

  async get(id: string): Promise<Row | undefined> {
    return this.#redis.call((commands) => this.#readRow(commands, id));
  }

  async add(row: Row): Promise<boolean> {
    return this.#redis.call(async (commands) => {
      await this.#index.add(commands, row.id);
      const values = [row.revision, 'created_at', String(row.createdAt.getTime()), ...this.#toFields(row)];
      return Number(await commands.runScript(ADD, this.#rowKey(row.id), values)) === 1;
    });
  }

  async replace(row: Row, revision: string): Promise<boolean> {
    const removed = this.#secretNames.filter((_, at) => !row.secrets[at]);
    const values = [row.revision, revision, String(removed.length), ...removed, ...this.#toFields(row)];
    return this.#redis.call(
      async (commands) => Number(await commands.runScript(REPLACE, this.#rowKey(row.id), values)) === 1,
    );
  }

  async list(after: string | undefined, limit: number): Promise<Row[]> {
    return this.#redis.call((commands) =>
      this.#index.read(commands, after, limit, (id) => this.#readRow(commands, id)),
    );
  }

  async delete(id: string): Promise<boolean> {
    const key = this.#rowKey(id);
    return this.#redis.call(async (commands) => Number(await commands.write(key, ['DEL', key])) === 1);
  }

  async #readRow(commands: RedisCommands, id: string): Promise<Row | undefined> {
    const key = this.#rowKey(id);
    const values = (await commands.send(key, ['HMGET', key, ...this.#fields])) as (string | null)[];
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

  #rowKey(id: string): string {
    return `${this.#redis.prefix}${this.#name}:{${id}}`;
  }

  #toFields({ secrets, notes, active }: Row): string[] {
    const present = secrets.flatMap((secret, at) =>
      secret ? [this.#secretNames[at] as string, Buffer.from(secret).toString('base64')] : [],
    );
    return ['notes', notes, 'active', active ? '1' : '0', ...present];
  }
}
