import {
  type CounterRecord,
  type CounterStore,
  type KeyStore,
  MemoryStore,
  type RecordStore,
} from 'passport-yubikey-otp/stores';

type Readable<Stored, New> = Pick<RecordStore<Stored, New>, 'get' | 'add'>;

/**
 * A store for a dry run: added records are kept in memory, and the real store is only read. A record that does not open
 * also occupies its id, so ids are looked up in the `raw` store.
 */
export function dryRunRecords<Stored, New>(
  store: Pick<Readable<Stored, New>, 'get'>,
  raw: Pick<Readable<Stored, New>, 'get'>,
  memory: Readable<Stored, New>,
  toId: (record: New) => string,
): Readable<Stored, New> {
  return {
    get: async (id) => (await memory.get(id)) ?? store.get(id),
    add: async (record) => (await raw.get(toId(record))) === undefined && memory.add(record),
  };
}

/** Counters for a dry run: they advance in memory only. */
export function dryRunCounters(store: Pick<CounterStore, 'get'>): Pick<CounterStore, 'advance' | 'get'> {
  const memory = new MemoryStore().counters;
  return {
    get: async (publicId) => (await memory.get(publicId)) ?? store.get(publicId),
    async advance(publicId, counters, nonce, acceptedAt) {
      const stored = (await memory.get(publicId)) ? undefined : await store.get(publicId);
      if (stored) await memory.advance(publicId, pickCounters(stored));
      return memory.advance(publicId, counters, nonce, acceptedAt);
    },
  };
}

function pickCounters({ usageCounter, sessionUse, timestamp }: CounterRecord) {
  return { usageCounter, sessionUse, timestamp };
}

/** Keys for a dry run: they are enabled and disabled in memory only. */
export function dryRunActivation(store: Pick<KeyStore, 'get'>): Pick<KeyStore, 'get' | 'replace'> {
  const states = new Map<string, boolean>();
  return {
    async get(id) {
      const key = await store.get(id);
      return key && { ...key, active: states.get(id) ?? key.active };
    },
    async replace({ publicId }, { active }) {
      if (active !== undefined) states.set(publicId, active);
      return true;
    },
  };
}
