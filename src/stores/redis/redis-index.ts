import type { RedisCommands } from './redis-client.js';

/**
 * A sorted index of all ids that exist or ever existed. A hash and its index are two keys, so they cannot be written
 * in one step: the index is written first, and readers skip entries without a hash. Entries are never removed, since
 * another caller may be adding the same id at that moment.
 */
export class RedisIndex {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  async add(commands: RedisCommands, id: string): Promise<void> {
    await commands.send(this.#key, ['ZADD', this.#key, '0', id]);
  }

  async list(commands: RedisCommands, after: string | undefined, limit: number): Promise<string[]> {
    const from = after === undefined ? '-' : `(${after}`;
    const command = ['ZRANGEBYLEX', this.#key, from, '+', 'LIMIT', '0', String(limit)];
    return (await commands.send(this.#key, command)) as string[];
  }

  /** Reads up to `limit` hashes behind `after`. */
  async read<T>(
    commands: RedisCommands,
    after: string | undefined,
    limit: number,
    readHash: (id: string) => Promise<T | undefined>,
  ): Promise<T[]> {
    const found: T[] = [];
    let last = after;
    while (found.length < limit) {
      const ids = await this.list(commands, last, limit);
      const values = await Promise.all(ids.map(readHash));
      found.push(...values.filter((value) => value !== undefined));
      if (ids.length < limit) break;
      last = ids.at(-1);
    }
    return found.slice(0, limit);
  }
}
