import { describe, expect, it } from 'vitest';
import {
  KsmVerifier,
  type KsmVerifierOptions,
  requireSecondFactor,
  type VerifyOptions,
  YubikeyError,
} from '../../src/index.js';
import type { OptionNames } from '../../src/options.js';
import {
  type KeyRecord,
  Keyring,
  MemoryStore,
  newMasterKey,
  PostgresStore,
  SealedKeyStore,
  SqliteStore,
} from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { CLOSED, type ClosedDoor } from '../support/options/closed.js';
import { type Door, readDoors } from '../support/options/doors.js';

/** Types that may have unknown properties: data, and objects of other authors. */
const OPEN = [
  // Data
  'Otp',
  'Counters',
  'NewKey',
  'NewClient',
  'KeyRecord',
  'ClientRecord',
  'SoftYubikeyState',
  'CounterFields',
  'ValidationRequest',
  'ValidationResponse',
  'ListenerAnswer',
  // Objects of other authors
  'Verifier',
  'Ksm',
  'RecordStore',
  'CounterStore',
  'SqliteDatabase',
  'PostgresPool',
  'RowTable',
  'TestRunner',
];

/** Functions that take data of a type without a name: one of several kinds of answer. */
const TAKE_ANSWERS = ['formatKsmResponse', 'formatKsmRestResponse'];

const doors = readDoors();
const closed = Object.entries(CLOSED);

function isOpen({ name, takes }: Door): boolean {
  return OPEN.includes(takes) || (takes === '__type' && TAKE_ANSWERS.includes(name));
}

function isClosed({ name, takes }: Door): boolean {
  return CLOSED[name]?.takes === takes;
}

/** Undefined if the options are accepted, whatever happens afterwards. */
async function catchRefusal(door: ClosedDoor, options: unknown): Promise<string | undefined> {
  try {
    await door.open(options as never);
  } catch (error) {
    // A missing database or server is a YubikeyError.
    if (!(error instanceof YubikeyError)) {
      expect(error).toBeInstanceOf(TypeError);
      return (error as TypeError).message;
    }
  }
  return undefined;
}

/** The options as accessors of a class. */
function createInstance(options: object): object {
  const accessors = Object.entries(options).map(([name, value]) => [name, { get: () => value }]);
  return Object.create(Object.create(Object.prototype, Object.fromEntries(accessors)));
}

describe('the table of options', () => {
  it('has every object that the entry points take, unless it is known to be open', () => {
    const unknown = doors.filter((door) => !isClosed(door) && !isOpen(door));
    expect(unknown).toEqual([]);
  });

  it('has no other entries', () => {
    const found = (name: string, takes: string) => doors.some((it) => it.name === name && it.takes === takes);
    expect(closed.filter(([name, { takes }]) => !found(name, takes))).toEqual([]);
    expect(OPEN.filter((takes) => !doors.some((door) => door.takes === takes))).toEqual([]);
    expect(TAKE_ANSWERS.filter((name) => !found(name, '__type'))).toEqual([]);
  });
});

describe.each(closed)('%s', (name, door) => {
  const { good, requires, instead = [] } = door;
  const names = doors.find((it) => it.name === name && it.takes === door.takes)?.properties ?? [];
  // An API key that is undefined is refused: an environment variable may be missing.
  const optional = names.filter((known) => known !== 'apiKey');
  const SECRET = 'never to be repeated';

  it('accepts its options in any kind of object', async () => {
    for (const options of [
      good,
      { ...Object.fromEntries(optional.map((known) => [known, undefined])), ...good },
      Object.freeze({ ...good }),
      Object.assign(Object.create(null), good),
      Object.create(good),
      createInstance(good),
    ]) {
      expect(await catchRefusal(door, options)).toBeUndefined();
    }
  });

  it.each(names)('refuses a misspelt %s and names it', async (known) => {
    const misspellings = [
      known.toUpperCase(),
      known.toLowerCase(),
      known.slice(0, -1),
      `${known}s`,
      `_${known}`,
    ];
    for (const misspelt of misspellings.filter((it) => !names.includes(it))) {
      for (const value of [SECRET, true, undefined]) {
        const refusal = await catchRefusal(door, { ...good, [misspelt]: value });
        expect(refusal).toMatch(new RegExp(` has no option ${misspelt}: did you mean ${known}\\?$`));
      }
    }
  });

  it('refuses the names of Object.prototype if they are own properties', async () => {
    for (const inherited of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      const options = JSON.parse(`{ "${inherited}": null }`);
      for (const known of Object.keys(good)) options[known] = good[known as keyof typeof good];
      expect(await catchRefusal(door, options)).toContain(`has no option ${inherited}: did you mean `);
    }
  });

  it('ignores symbols, and inherited and non-enumerable properties', async () => {
    class Options {
      get unheardOf(): never {
        throw new Error('An accessor of a class was read');
      }
      doSomething(): void {}
    }
    const ofClass = Object.assign(new Options(), good);
    for (const options of [
      ofClass,
      { ...good, [Symbol('unheardOf')]: 1 },
      Object.assign(Object.create({ unheardOf: 1 }), good),
      Object.defineProperty({ ...good }, 'unheardOf', { value: 1 }),
    ]) {
      expect(await catchRefusal(door, options)).toBeUndefined();
    }
  });

  it('does not read the value of a refused option', async () => {
    const options = {
      ...good,
      get unheardOf() {
        throw new Error('It was read');
      },
    };
    expect(await catchRefusal(door, options)).toContain('has no option unheardOf: did you mean ');
  });

  it('refuses a value that is not an object', async () => {
    const others = [null, 'text', 60_000, true, [], [good], () => good];
    for (const options of others.filter((it) => !instead.includes(it))) {
      expect(await catchRefusal(door, options)).toMatch(
        requires === undefined ? / takes an object with the options / : new RegExp(requires),
      );
    }
  });
});

describe('the types', () => {
  const ksmOptions = CLOSED.KsmVerifier?.good as KsmVerifierOptions;

  it('refuse an option that does not exist', () => {
    // @ts-expect-error
    expect(() => requireSecondFactor({ maxage: 60_000 })).toThrow(TypeError);
    // @ts-expect-error
    expect(() => new KsmVerifier({ ...ksmOptions, delayTolerance: { absolut: 1 } })).toThrow(TypeError);
  });

  it('refuse a list of names that differs from the interface', () => {
    const names: OptionNames<VerifyOptions>[] = [
      { signal: true, nonce: true },
      // @ts-expect-error
      { signal: true },
      // @ts-expect-error
      { signal: true, nonce: true, timeout: true },
    ];
    expect(names).toHaveLength(3);
  });
});

describe('open objects', () => {
  it('are records: a store accepts a record of another store, and a SoftYubikey', async () => {
    const { keys } = new MemoryStore();
    const sealed = new SealedKeyStore(
      new MemoryStore().keys,
      new Keyring({ keys: { a: newMasterKey() }, current: 'a' }),
    );
    const yubikey = new SoftYubikey();
    expect(await keys.add(yubikey)).toBe(true);
    const record = (await keys.get(yubikey.publicId)) as KeyRecord;
    expect(await sealed.add(record)).toBe(true);
    expect((await sealed.get(yubikey.publicId))?.aesKey).toEqual(Buffer.from(record.aesKey));
  });

  it('are databases, pools and functions of an application, whatever other properties they have', () => {
    const database = { prepare: () => ({ all: () => [] }), exec: () => undefined, name: 'yubikeys.db' };
    const pool = { connect: () => undefined, totalCount: 0 };
    expect(() => new SqliteStore({ database })).not.toThrow();
    expect(() => new PostgresStore({ pool })).not.toThrow();
  });

  it('are states of a SoftYubikey, to which an application may add its own properties', () => {
    const yubikey = new SoftYubikey({ usageCounter: 5 });
    const kept = { ...yubikey.toJSON(), owner: 'alice' };
    expect(SoftYubikey.fromJSON(kept).toJSON()).toEqual(yubikey.toJSON());
  });
});
