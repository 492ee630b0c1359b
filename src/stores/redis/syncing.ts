import type { Master } from './masters.js';
import type { Commands } from './redis-client.js';

/** When an append-only file is synced; of several servers, what the weakest does. */
export interface Syncing {
  readonly appendfsync: string;
  /** Whether it is not synced while Redis rewrites it, or saves a snapshot. */
  readonly pausedByRewrite: boolean;
}

/** From the weakest, but for one that is not known. */
const APPENDFSYNC = ['no', 'everysec', 'always'];

/**
 * A command without a key goes to a master of the client's choice: `redis` takes them by turns, `ioredis` at
 * random. Asked this often for each, a given one is missed at fewer than one start in 10^10.
 */
const TIMES_PER_MASTER = 24;

/**
 * Reads it from every master of a cluster, or from the one server. Unknown where CONFIG is not allowed, as with
 * hosted Redis, and where the client's commands do not come to every master.
 */
export async function readSyncing(commands: Commands, masters?: readonly Master[]): Promise<Syncing> {
  const times = masters ? masters.length * TIMES_PER_MASTER : 1;
  const askAll = (...command: string[]) =>
    Promise.all(Array.from({ length: times }, () => commands.send(undefined, command)));
  try {
    if (masters) {
      const reached = new Set(await askAll('CLUSTER', 'MYID'));
      if (!masters.every(({ id }) => reached.has(id))) return weakestOf([]);
    }
    return weakestOf((await askAll('CONFIG', 'GET', '*append*')).map(settingsIn));
  } catch {
    return weakestOf([]);
  }
}

function weakestOf(servers: readonly ReadonlyMap<string, unknown>[]): Syncing {
  const ranks = servers.map((settings) => APPENDFSYNC.indexOf(String(settings.get('appendfsync'))));
  return {
    appendfsync: APPENDFSYNC[Math.min(...ranks)] ?? 'unknown',
    pausedByRewrite: servers.some((settings) => settings.get('no-appendfsync-on-rewrite') === 'yes'),
  };
}

/** Of names and values by turns, or of an object, as clients have it. */
function settingsIn(answer: unknown): Map<string, unknown> {
  if (!Array.isArray(answer)) return new Map(Object.entries(answer as object));
  return new Map(answer.flatMap((name, at) => (at % 2 === 0 ? [[name, answer[at + 1]]] : [])));
}
