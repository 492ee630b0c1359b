import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeStoreContract, type OpenStore } from '../../src/testing/index.js';
import { readFiles, writeRecipe } from '../support/recipes/recipe.js';
import { CollectedTests } from '../support/testing/collected-tests.js';

interface LevelStore extends OpenStore {
  folder: string;
}

interface LevelStoreModule {
  LevelStore: { open(folder: string): Promise<LevelStore> };
}

const ENGINE = readFiles('own-store').get('level-store.js') as string;

/** What a store of one's own may get wrong: what to replace in the engine, and the test that must find it. */
const FAULTS: readonly { fault: string; code: string; by: string; foundBy: string }[] = [
  {
    fault: 'advance reads first, and writes later',
    code: 'Promise.resolve(this.#turns.get(id)).then(',
    by: 'Promise.resolve().then(',
    foundBy: 'one OTP sent fifty times at once is accepted once',
  },
  {
    fault: 'add reads first, and writes later',
    code: 'Promise.resolve(this.#turns.get(id)).then(',
    by: 'Promise.resolve().then(',
    foundBy: 'of many keys added at once with one public ID, exactly one is stored',
  },
  {
    fault: 'replace reads first, and writes later',
    code: 'Promise.resolve(this.#turns.get(id)).then(',
    by: 'Promise.resolve().then(',
    foundBy: 'of two replaces at once exactly one is true',
  },
  {
    fault: 'equal counters are accepted',
    code: 'previous && !isNewer(counters, previous)',
    by: 'previous && isNewer(previous, counters)',
    foundBy: 'an advance with equal counters is REPLAYED_OTP, and changes nothing',
  },
  {
    fault: 'a later clock is enough',
    code: 'previous && !isNewer(counters, previous)',
    by: 'previous && !isNewer(counters, previous) && counters.timestamp <= previous.timestamp',
    foundBy: 'an advance with equal counters and a later clock is REPLAYED_OTP, and changes nothing',
  },
  {
    fault: 'only usage counters are compared',
    code: 'previous && !isNewer(counters, previous)',
    by: 'previous && counters.usageCounter <= previous.usageCounter',
    foundBy: 'a higher session use is accepted, and returns the previous counters',
  },
  {
    fault: 'usage counter and session use are compared alone',
    code: 'previous && !isNewer(counters, previous)',
    by: 'previous && counters.usageCounter <= previous.usageCounter && counters.sessionUse <= previous.sessionUse',
    foundBy: 'an advance with a lower usage counter is REPLAYED_OTP, and changes nothing',
  },
  {
    fault: 'counters are not checked, so the caps-lock bit gets in',
    code: 'assertAdvance(publicId, counters, nonce);',
    by: '',
    foundBy: 'refuses the caps-lock bit in the usage counter with a RangeError, and does not change the row',
  },
  {
    fault: 'an id is not checked',
    code: 'assertAdvance(publicId, counters, nonce);',
    by: '',
    foundBy: 'refuses true for a public ID or a nonce, and nothing else that is sent with it',
  },
  {
    fault: 'the nonce is not compared',
    code: 'nonce !== undefined && nonce === row.nonce && ',
    by: '',
    foundBy: 'the nonce that counts is the last one that was accepted',
  },
  {
    fault: 'a missing nonce equals a missing nonce',
    code: 'nonce !== undefined && ',
    by: '',
    foundBy: 'a call without a nonce is never REPLAYED_REQUEST, not even after one without',
  },
  {
    fault: 'the nonce is ignored',
    code: "isRepeated ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP'",
    by: "'REPLAYED_OTP'",
    foundBy: 'equal counters with the nonce that was accepted are REPLAYED_REQUEST',
  },
  {
    fault: 'an equal nonce is enough for REPLAYED_REQUEST',
    code: ' && !isNewer(previous, counters)',
    by: '',
    foundBy: 'an equal nonce alone is no REPLAYED_REQUEST: other counters are judged as usual',
  },
  {
    fault: 'the nonce of a refused request is stored',
    code: 'const isRepeated =',
    by: 'await this.#rows.write({ ...row, nonce });\n        const isRepeated =',
    foundBy: 'the nonce that counts is the last one that was accepted',
  },
  {
    fault: 'the previous counters are missing',
    code: 'current, previous };',
    by: 'current };',
    foundBy: 'a higher usage counter is accepted, and returns the previous counters',
  },
  {
    fault: 'accepted OTPs are not counted',
    code: '(previous?.acceptedCount ?? 0) + 1',
    by: '1',
    foundBy: 'a higher usage counter is accepted, and returns the previous counters',
  },
  {
    fault: 'the time of an import is lost',
    code: 'timestamp, acceptedAt, acceptedCount }',
    by: 'timestamp, acceptedAt: new Date(), acceptedCount }',
    foundBy: 'counters of another server keep the time when they were accepted',
  },
  {
    fault: 'dates become text',
    code: 'encode: serialize, decode: deserialize',
    by: 'encode: (row) => Buffer.from(JSON.stringify(row)), decode: (json) => JSON.parse(json)',
    foundBy: 'the first touch of a key is accepted, and has no previous counters',
  },
  {
    fault: 'bytes become objects',
    code: 'encode: serialize, decode: deserialize',
    by: 'encode: (row) => Buffer.from(JSON.stringify(row)), decode: (json) => JSON.parse(json)',
    foundBy: 'get returns equal bytes if they are zeros',
  },
  {
    fault: 'add overwrites',
    code: 'if (current) return false;',
    by: '',
    foundBy: 'add is false if the public ID is taken, and changes nothing',
  },
  {
    fault: 'replace does not compare',
    code: 'if (current?.revision !== revision) return false;',
    by: 'if (!current) return false;',
    foundBy: 'replace with a record that is no longer current is false, and changes nothing',
  },
  {
    fault: 'replace brings a deleted key back',
    code: 'if (current?.revision !== revision) return false;',
    by: 'if (current && current.revision !== revision) return false;',
    foundBy: 'replace is false for a key that was deleted, even after an identical one was added',
  },
  {
    fault: 'delete is always true',
    code: 'if (!current) return false;',
    by: '',
    foundBy: 'delete removes one key, and is false if there is none',
  },
  {
    fault: 'a deleted key takes its counters with it',
    code: 'return this.#level.del(id, DURABLE);',
    by: "return Promise.all([this.#level.del(id), this.#level.db.sublevel('counters').del(id)]);",
    foundBy: 'a deleted key keeps its counters: its used OTPs stay used when it is added again',
  },
  {
    fault: 'a page has one record too few, and no next one',
    code: 'limit + 1',
    by: 'limit',
    foundBy: 'list returns all counters in pages, in the order of their public IDs, with their nonces',
  },
  {
    fault: 'a page begins with the last record of the one before',
    code: 'gt: after',
    by: 'gte: after',
    foundBy: 'list returns every key once, in the order of public IDs, for any page size',
  },
  {
    fault: 'the page after the empty public ID is the first one',
    code: 'after === undefined ?',
    by: '!after ?',
    foundBy: 'list returns every key once, in the order of public IDs, for any page size',
  },
  {
    fault: 'pages are in no order',
    code: '{ gt: after, limit }',
    by: '{ gt: after, limit, reverse: true }',
    foundBy: 'list returns every key once, in the order of public IDs, for any page size',
  },
  {
    fault: 'the empty public ID has no row',
    code: 'return this.#level.get(id);',
    by: "return id === '' ? undefined : this.#level.get(id);",
    foundBy: 'the empty public ID has its own counters',
  },
  {
    fault: 'nothing is left when the database is opened again',
    code: 'await database.open();',
    by: 'await database.clear();',
    foundBy: 'has the counters, and refuses what was accepted before',
  },
];

describe('the recipe for a store', () => {
  let folder: string;
  let opened = 0;
  beforeAll(() => {
    folder = writeRecipe('own-store');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const load = (file: string): Promise<LevelStoreModule> => import(pathToFileURL(join(folder, file)).href);

  async function collectTests(file: string): Promise<CollectedTests> {
    const { LevelStore } = await load(file);
    const collected = new CollectedTests();
    describeStoreContract(collected, file, {
      open: () => LevelStore.open(join(folder, `database-${++opened}`)),
      reopen: (closed) => LevelStore.open(closed.folder),
    });
    return collected;
  }

  it('passes the contract by node:test, as printed', async () => {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const { stdout, status } = spawnSync(process.execPath, ['--test', '--test-reporter', 'tap'], {
      cwd: folder,
      encoding: 'utf8',
      env,
    });
    expect(status, stdout).toBe(0);
    const { tests } = await collectTests('level-store.js');
    expect(stdout).toContain(`\n# pass ${tests.length}\n# fail 0\n`);
  });

  it.each(FAULTS.map((fault, n) => ({ ...fault, file: `faulty-${n}.js` })))(
    'the contract finds that $fault',
    async ({ code, by, foundBy, file }) => {
      expect(ENGINE.split(code)).toHaveLength(2);
      writeFileSync(
        join(folder, file),
        ENGINE.replace(code, () => by),
      );
      const tests = await collectTests(file);
      const failed = await tests.run(foundBy);
      expect(failed.get(foundBy)).toMatchObject({ code: 'ERR_ASSERTION' });
    },
  );

  it('finds no fault in the engine with any of these tests', async () => {
    const tests = await collectTests('level-store.js');
    for (const { foundBy } of FAULTS) expect(await tests.run(foundBy)).toEqual(new Map());
  });

  it('imports every function of ./stores that is experimental: no more is exported than it needs', () => {
    const report = readFileSync(new URL('../../api/stores.api.md', import.meta.url), 'utf8');
    const functions = report.matchAll(/@experimental\nexport function (\w+)/g);
    const [, imported = ''] = /import \{([^}]*)\} from 'passport-yubikey-otp\/stores'/.exec(ENGINE) ?? [];
    expect(imported.match(/\w+/g)?.sort()).toEqual(Array.from(functions, ([, name]) => name).sort());
  });

  it('rejects with ANSWER_LOST if the write fails', async () => {
    const code = 'return this.#level.put(row.id, row, DURABLE);';
    expect(ENGINE.split(code)).toHaveLength(2);
    const broken = ENGINE.replace(code, "return Promise.reject(new Error('the disk is full'));");
    writeFileSync(join(folder, 'broken.js'), broken);
    const { LevelStore } = await load('broken.js');
    const store = await LevelStore.open(join(folder, 'database-broken'));
    const { counters } = store;
    const advance = counters.advance('cc', { usageCounter: 5, sessionUse: 7, timestamp: 9 });
    await expect(advance).rejects.toMatchObject({
      code: 'ANSWER_LOST',
      cause: { message: 'the disk is full' },
    });
    expect(await counters.get('cc')).toBeUndefined();
    await store.close();
  });
});
