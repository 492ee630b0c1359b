import { type Counters, isNewer, isSameTouch } from '../otp/counters.js';
import { assertAdvance } from './checks.js';
import {
  createClientStore,
  createKeyStore,
  cutPage,
  type Row,
  type RowTable,
  readPageOptions,
} from './records.js';
import type {
  Advance,
  ClientStore,
  CounterRecord,
  CounterStore,
  KeyStore,
  ListedCounters,
  Page,
  PageOptions,
} from './store.js';

/**
 * Keys, counters and clients in the memory of this process, for tests and trials. Once the process ends, every OTP
 * that it accepted would be accepted again: keep the counters of real keys in a database.
 */
export class MemoryStore {
  readonly keys: KeyStore = createKeyStore(new MemoryTable());
  readonly clients: ClientStore = createClientStore(new MemoryTable());
  readonly counters: CounterStore = new MemoryCounterStore();
}

class MemoryTable implements RowTable {
  readonly #rows = new Map<string, Row>();

  get(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  async add(row: Row): Promise<boolean> {
    if (this.#rows.has(row.id)) return false;
    this.#rows.set(row.id, row);
    return true;
  }

  async replace(row: Row, revision: string): Promise<boolean> {
    const current = this.#rows.get(row.id);
    if (current?.revision !== revision) return false;
    this.#rows.set(row.id, { ...row, createdAt: current.createdAt });
    return true;
  }

  async list(after: string | undefined, limit: number): Promise<Row[]> {
    return inOrder(this.#rows, after, limit);
  }

  async delete(id: string): Promise<boolean> {
    return this.#rows.delete(id);
  }
}

type CounterRow = ListedCounters & { id: string };

class MemoryCounterStore implements CounterStore {
  readonly #rows = new Map<string, CounterRow>();

  async advance(
    publicId: string,
    counters: Counters,
    nonce?: string,
    acceptedAt = new Date(),
  ): Promise<Advance> {
    assertAdvance(publicId, counters, nonce);
    const last = this.#rows.get(publicId);
    if (last && !isNewer(counters, last)) {
      const sameRequest = nonce !== undefined && nonce === last.nonce && isSameTouch(counters, last);
      return { advanced: false, reason: sameRequest ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP' };
    }
    const { usageCounter, sessionUse, timestamp } = counters;
    const current = {
      usageCounter,
      sessionUse,
      timestamp,
      acceptedAt,
      acceptedCount: (last?.acceptedCount ?? 0) + 1,
    };
    this.#rows.set(publicId, { id: publicId, publicId, nonce, ...current });
    return { advanced: true, current, previous: last && toCounterRecord(last) };
  }

  async get(publicId: string): Promise<CounterRecord | undefined> {
    const row = this.#rows.get(publicId);
    return row && toCounterRecord(row);
  }

  async list(options?: PageOptions): Promise<Page<ListedCounters>> {
    const { after, limit } = readPageOptions(options);
    return cutPage(inOrder(this.#rows, after, limit + 1), limit, ({ id: _, ...listed }) => listed);
  }
}

function toCounterRecord({ usageCounter, sessionUse, timestamp, acceptedAt, acceptedCount }: CounterRecord) {
  return { usageCounter, sessionUse, timestamp, acceptedAt, acceptedCount };
}

function inOrder<Value>(rows: ReadonlyMap<string, Value>, after: string | undefined, limit: number): Value[] {
  const ids = [...rows.keys()].filter((id) => after === undefined || id > after).sort();
  return ids.slice(0, limit).map((id) => rows.get(id) as Value);
}
