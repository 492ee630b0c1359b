import type { RecordKind, Row, RowTable } from '../records.js';
import { type Redis, scriptOf } from './commands.js';
import { RedisIndex } from './ids.js';

const ADD = scriptOf(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1`);

const REPLACE = scriptOf(`
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end
local created = redis.call('HGET', KEYS[1], 'created_at')
if not created then return redis.error_reply('ERR this record has no created_at') end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('HSET', KEYS[1], 'created_at', created)
return 1`);

/** Records of one kind, a hash each; secrets in base64. */
export class RedisTable implements RowTable {
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
    return (await this.redis.script(ADD, this.keyOf(row.id), this.fieldsOf(row))) === 1;
  }

  async replace(row: Row, revision: string): Promise<boolean> {
    return (await this.redis.script(REPLACE, this.keyOf(row.id), [revision, ...this.fieldsOf(row)])) === 1;
  }

  async list(after: string | undefined, limit: number): Promise<Row[]> {
    return this.index.read(after, limit, (id) => this.get(id));
  }

  async delete(id: string): Promise<boolean> {
    return (await this.redis.command('DEL', this.keyOf(id))) === 1;
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
