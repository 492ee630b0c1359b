import { randomUUID } from 'node:crypto';
import { type Counters, isNewer, isSameTouch } from '../otp/counters.js';
import { assertCounters, assertNewKey } from './assert.js';
import type { Advance, CounterRecord, CounterStore, KeyPage, KeyRecord, KeyStore, NewKey } from './store.js';

/**
 * Keys and counters in this process's memory, for tests and trials. When the process ends, every OTP that it
 * accepted would be accepted again: keep real counters in a database.
 */
export class MemoryStore {
  readonly keys: KeyStore = new MemoryKeyStore();
  readonly counters: CounterStore = new MemoryCounterStore();
}

class MemoryKeyStore implements KeyStore {
  private readonly records = new Map<string, KeyRecord>();

  async get(publicId: string): Promise<KeyRecord | undefined> {
    return this.records.get(publicId);
  }

  async add(key: NewKey): Promise<boolean> {
    assertNewKey(key);
    if (this.records.has(key.publicId)) return false;
    this.records.set(key.publicId, {
      publicId: key.publicId,
      aesKey: Uint8Array.from(key.aesKey),
      privateId: key.privateId && Uint8Array.from(key.privateId),
      notes: key.notes ?? '',
      active: key.active ?? true,
      createdAt: new Date(),
      revision: randomUUID(),
    });
    return true;
  }

  async replace(expected: KeyRecord, change: Partial<Omit<NewKey, 'publicId'>>): Promise<boolean> {
    const current = this.records.get(expected.publicId);
    const next = { ...expected, ...change };
    assertNewKey(next);
    if (current?.revision !== expected.revision) return false;
    this.records.set(expected.publicId, {
      ...next,
      aesKey: Uint8Array.from(next.aesKey),
      privateId: next.privateId && Uint8Array.from(next.privateId),
      notes: next.notes ?? current.notes,
      active: next.active ?? current.active,
      createdAt: current.createdAt,
      revision: randomUUID(),
    });
    return true;
  }

  async list({ after, limit = 100 }: { after?: string; limit?: number } = {}): Promise<KeyPage> {
    const publicIds = [...this.records.keys()]
      .filter((publicId) => after === undefined || publicId > after)
      .sort();
    const keys = publicIds.slice(0, limit).map((publicId) => this.records.get(publicId) as KeyRecord);
    return { keys, next: publicIds.length > limit ? keys.at(-1)?.publicId : undefined };
  }

  async delete(publicId: string): Promise<boolean> {
    return this.records.delete(publicId);
  }
}

class MemoryCounterStore implements CounterStore {
  private readonly rows = new Map<string, CounterRecord & { nonce: string | undefined }>();

  async advance(publicId: string, counters: Counters, nonce?: string): Promise<Advance> {
    assertCounters(counters);
    const last = this.rows.get(publicId);
    if (last && !isNewer(counters, last)) {
      const sameRequest = nonce !== undefined && nonce === last.nonce && isSameTouch(counters, last);
      return { advanced: false, reason: sameRequest ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP' };
    }
    const { usageCounter, sessionUse, timestamp } = counters;
    const acceptedAt = new Date();
    const acceptedCount = (last?.acceptedCount ?? 0) + 1;
    const row = { usageCounter, sessionUse, timestamp, acceptedAt, acceptedCount, nonce };
    this.rows.set(publicId, row);
    return { advanced: true, current: withoutNonce(row), previous: last && withoutNonce(last) };
  }

  async get(publicId: string): Promise<CounterRecord | undefined> {
    const row = this.rows.get(publicId);
    return row && withoutNonce(row);
  }
}

function withoutNonce({ nonce: _, ...record }: CounterRecord & { nonce: string | undefined }): CounterRecord {
  return record;
}
