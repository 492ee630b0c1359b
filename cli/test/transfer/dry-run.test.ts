import fc from 'fast-check';
import {
  Keyring,
  MemoryStore,
  newMasterKey,
  SealedClientStore,
  SealedKeyStore,
} from 'passport-yubikey-otp/stores';
import { describe, expect, it } from 'vitest';
import { dryRunActivation, dryRunCounters, dryRunRecords } from '../../src/transfer/dry-run.js';
import { importCounters } from '../../src/transfer/import-counters.js';
import { importLines, type LineProblem, type Outcome } from '../../src/transfer/import-lines.js';
import { importClient, importKey } from '../../src/transfer/import-records.js';
import type { KeyEntry } from '../../src/transfer/key-columns.js';
import type { CountersEntry } from '../../src/transfer/ykval.js';
import type { ClientEntry } from '../../src/transfer/ykval-clients.js';

const keyring = new Keyring({ keys: { here: newMasterKey() }, current: 'here' });
const elsewhere = new Keyring({ keys: { elsewhere: newMasterKey() }, current: 'elsewhere' });

/** How a record was stored: correctly, edited, or sealed with a missing master key. */
const state = fc.constantFrom('good', 'edited', 'elsewhere');
const publicId = fc.constantFrom('', 'cc', 'cb', 'cd', 'ce');
const secret = (length: number) => fc.constantFrom(1, 2).map((fill) => Buffer.alloc(length, fill));
const notes = fc.constant('');

const keyEntry: fc.Arbitrary<KeyEntry> = fc.record({
  publicId,
  aesKey: secret(16),
  privateId: fc.option(secret(6), { nil: undefined }),
  active: fc.boolean(),
  notes,
  hasAccessCode: fc.constant(false),
});
const clientEntry: fc.Arbitrary<ClientEntry> = fc.record({
  id: fc.constantFrom('1', '2', '3'),
  apiKey: secret(20),
  active: fc.boolean(),
  notes,
});
const counters = fc.record({
  usageCounter: fc.nat(3),
  sessionUse: fc.nat(1),
  timestamp: fc.constant(0),
});
const countersEntry: fc.Arbitrary<CountersEntry> = fc
  .record({
    publicId,
    counters: fc.option(counters, { nil: undefined }),
    nonce: fc.constant(undefined),
    acceptedAt: fc.constant(new Date(0)),
    active: fc.boolean(),
  })
  .chain((entry) =>
    entry.active
      ? fc.constant(entry)
      : fc.constantFrom(entry, { ...entry, counters: undefined, problem: 'a problem' }),
  );

async function runImportLines<Entry>(
  entries: readonly Entry[],
  toId: (entry: Entry) => string,
  apply: (entry: Entry) => Promise<Outcome>,
) {
  const problems: LineProblem[] = [];
  async function* lines() {
    for (const [line, entry] of entries.entries()) yield { line, parsed: { entry } };
  }
  const tallies = await importLines({ lines: lines(), toId, apply, onProblem: (it) => problems.push(it) });
  return { tallies, problems };
}

const everything = async ({ keys, clients, counters }: MemoryStore) =>
  JSON.stringify([await keys.list(), await clients.list(), await counters.list()]);

async function storeKeys(raw: MemoryStore, stored: readonly (readonly [KeyEntry, string])[]): Promise<void> {
  for (const [entry, how] of stored) {
    if (how === 'edited') await raw.keys.add(entry);
    else await new SealedKeyStore(raw.keys, how === 'good' ? keyring : elsewhere).add(entry);
  }
}

describe('a dry run reports what the import reports, and writes nothing:', () => {
  it('keys, whatever is stored', async () => {
    const stored = fc.array(fc.tuple(keyEntry, state), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(stored, fc.array(keyEntry), async (stored, entries) => {
        const raw = new MemoryStore();
        await storeKeys(raw, stored);
        const sealed = new SealedKeyStore(raw.keys, keyring);
        const toId = ({ publicId }: { publicId: string }) => publicId;
        const before = await everything(raw);
        const dryRun = dryRunRecords(sealed, raw.keys, new MemoryStore().keys, toId);
        const said = await runImportLines(entries, toId, (entry) => importKey(dryRun, entry));
        expect(await everything(raw)).toBe(before);
        expect(said).toEqual(await runImportLines(entries, toId, (entry) => importKey(sealed, entry)));
      }),
    );
  });

  it('clients', async () => {
    const stored = fc.array(fc.tuple(clientEntry, state), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(stored, fc.array(clientEntry), async (stored, entries) => {
        const raw = new MemoryStore();
        for (const [entry, how] of stored) {
          if (how === 'edited') await raw.clients.add(entry);
          else await new SealedClientStore(raw.clients, how === 'good' ? keyring : elsewhere).add(entry);
        }
        const sealed = new SealedClientStore(raw.clients, keyring);
        const toId = ({ id }: { id: string }) => id;
        const before = await everything(raw);
        const dryRun = dryRunRecords(sealed, raw.clients, new MemoryStore().clients, toId);
        const said = await runImportLines(entries, toId, (entry) => importClient(dryRun, entry));
        expect(await everything(raw)).toBe(before);
        expect(said).toEqual(await runImportLines(entries, toId, (entry) => importClient(sealed, entry)));
      }),
    );
  });

  it('counters, and the keys that they disable', async () => {
    const storedKeys = fc.array(fc.tuple(keyEntry, state), { maxLength: 4 });
    const storedCounters = fc.array(fc.tuple(publicId, counters), { maxLength: 4 });
    const entries = fc.array(countersEntry);
    await fc.assert(
      fc.asyncProperty(storedKeys, storedCounters, entries, entries, async (keys, last, earlier, entries) => {
        const raw = new MemoryStore();
        await storeKeys(raw, keys);
        for (const [id, counters] of last) await raw.counters.advance(id, counters);
        const toId = ({ publicId }: { publicId: string }) => publicId;
        await runImportLines(earlier, toId, (entry) => importCounters(raw, entry));
        for (const { publicId, active } of keys.map(([entry]) => entry)) {
          const key = await raw.keys.get(publicId);
          if (key && active) await raw.keys.replace(key, { active });
        }
        const before = await everything(raw);
        const dryRun = { counters: dryRunCounters(raw.counters), keys: dryRunActivation(raw.keys) };
        const said = await runImportLines(entries, toId, (entry) => importCounters(dryRun, entry));
        expect(await everything(raw)).toBe(before);
        expect(said).toEqual(await runImportLines(entries, toId, (entry) => importCounters(raw, entry)));
      }),
    );
  });
});
