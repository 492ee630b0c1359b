import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type PostgresClient, PostgresStore } from '../../../src/stores/index.js';

const BROKEN = new Error('Connection terminated unexpectedly');

/** A connection like those of `pg`: when it breaks, it emits `error`, which throws without a listener. */
class Connection extends EventEmitter {
  breaksAt = '';
  readonly released: unknown[] = [];

  async query(sql: string): Promise<{ rows: unknown[] }> {
    if (this.breaksAt !== '' && sql.includes(this.breaksAt)) {
      this.emit('error', BROKEN);
      throw BROKEN;
    }
    return { rows: [{ fsync: 'on', level: 'on', version: 1 }] };
  }

  release(destroy?: boolean): void {
    this.released.push(destroy);
  }
}

function openStore() {
  const connection = new Connection();
  const pool = {
    breaksAtOnce: false,
    connect(callback: (error: undefined, client: PostgresClient) => void) {
      callback(undefined, connection);
      if (pool.breaksAtOnce) connection.emit('error', BROKEN);
    },
  };
  return { store: new PostgresStore({ pool }), connection, pool };
}

describe('PostgresStore and a connection', () => {
  it('that breaks during a query: rejects the query, does not end the process, and does not reuse it', async () => {
    const { store, connection } = openStore();
    await store.migrate();
    connection.breaksAt = 'yubikey_keys';
    await expect(store.keys.get('cc')).rejects.toMatchObject({ code: 'STORE_FAILED', cause: BROKEN });
    expect(connection.released.at(-1)).toBe(true);
  });

  it('that breaks as it is handed out: does not end the process', async () => {
    const { store, connection, pool } = openStore();
    await store.migrate();
    pool.breaksAtOnce = true;
    connection.breaksAt = 'yubikey_keys';
    await expect(store.keys.get('cc')).rejects.toMatchObject({ code: 'STORE_FAILED', cause: BROKEN });
  });

  it('that works: leaves no listener behind', async () => {
    const { store, connection } = openStore();
    await store.migrate();
    for (let n = 0; n < 20; n++) await store.keys.delete('cc');
    expect(connection.listenerCount('error')).toBe(0);
  });

  it('that the pool does not have: rejects with the error of the pool', async () => {
    const error = new Error('connect ECONNREFUSED');
    const store = new PostgresStore({ pool: { connect: (callback) => callback(error, undefined) } });
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_FAILED', cause: error });
  });

  it.each([
    ['53100', 'PANIK', BROKEN],
    ['42501', 'ПАНИКА', BROKEN],
    ['53200', 'ВАЖНО', BROKEN],
    ['53100', 'FEHLER', undefined],
    ['23514', 'エラー', undefined],
  ])(
    'that reports %s with the severity %s: trusts that only if it still answers',
    async (code, severity, fault) => {
      const { store, connection } = openStore();
      await store.migrate();
      const said = Object.assign(new Error('could not write to file "pg_wal/xlogtemp.1"'), {
        code,
        severity,
      });
      const { query } = connection;
      connection.query = async (sql) => {
        if (sql.startsWith('INSERT')) throw said;
        if (sql === 'SELECT 1' && fault) throw fault;
        return query.call(connection, sql);
      };
      await expect(
        store.counters.advance('cc', { usageCounter: 1, sessionUse: 0, timestamp: 0 }),
      ).rejects.toMatchObject({ code: fault ? 'ANSWER_LOST' : 'STORE_FAILED', cause: fault ?? said });
    },
  );

  it('that comes as a promise only: rejects with an error that asks for a callback, and releases it', async () => {
    const connection = new Connection();
    const store = new PostgresStore({ pool: { connect: async () => connection } });
    await expect(store.migrate()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      cause: new TypeError(
        'PostgresStore requires a pool whose connect() takes a callback, as that of pg does, and not one that only returns a promise',
      ),
    });
    expect(connection.released).toEqual([undefined]);
  });
});
