import { YubikeyError } from '../../errors.js';
import type { Durability } from '../store.js';
import { type Master, parseMasters } from './cluster.js';
import type { RedisCommands } from './redis-client.js';

/** `problem` is set if accepted OTPs would be accepted again even after an orderly shutdown of Redis. */
export type RedisDurability = Durability & {
  readonly isCluster: boolean;
  readonly problem?: string | undefined;
};

/** Reads the settings that durability depends on; in a cluster, from every master, and the weakest count. */
export async function readDurability(commands: RedisCommands): Promise<RedisDurability> {
  const info = String(await commands.send(undefined, ['INFO']));
  const masters = /^cluster_enabled:1/m.test(info) ? await readMasters(commands) : undefined;
  const problem = masters ? await findProblemOnMasters(masters, commands) : findProblem(info, 'This Redis');
  const isCluster = masters !== undefined;
  if (problem !== undefined) return { durable: false, statement: problem, isCluster, problem };
  return { ...describeDurability(await readSyncing(commands, masters), masters), isCluster };
}

async function readMasters(commands: RedisCommands): Promise<Master[]> {
  return parseMasters(await commands.send(undefined, ['CLUSTER', 'SLOTS']), commands.prefix);
}

async function findProblemOnMasters(
  masters: readonly Master[],
  commands: RedisCommands,
): Promise<string | undefined> {
  const problems = await Promise.all(
    masters.map(async ({ key, address }) => {
      if (key === undefined) return undefined;
      // A script runs on the master of its key; INFO alone would go to any master.
      const command = ['EVAL', "return redis.call('INFO')", '1', key];
      const info = await commands.send(key, command).catch(refuseClientOfOneNode);
      return findProblem(String(info), `The master ${address} of this Redis Cluster`);
    }),
  );
  return problems.find((problem) => problem !== undefined);
}

function refuseClientOfOneNode(error: Error): never {
  if (!String(error?.message).startsWith('MOVED ')) throw error;
  throw new YubikeyError(
    'STORE_FAILED',
    'This client is connected to one node of a Redis Cluster, and other nodes hold keys too: connect with createCluster of redis, or Cluster of ioredis',
    { cause: error },
  );
}

function findProblem(info: string, server: string): string | undefined {
  if (!/^aof_enabled:1/m.test(info))
    return `${server} has no append-only file: after a restart, accepted OTPs would be accepted again`;
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  if (policy === 'noeviction') return undefined;
  return `${server} evicts keys when memory runs short (maxmemory-policy ${policy}): accepted OTPs would be accepted again`;
}

function describeDurability(syncing: Syncing, masters: readonly Master[] | undefined): Durability {
  const durable = syncing.appendfsync === 'always' && !syncing.pausedByRewrite;
  const settings = [
    `appendfsync=${syncing.appendfsync}`,
    ...(syncing.pausedByRewrite ? ['no-appendfsync-on-rewrite=yes'] : []),
  ];
  const where = masters ? `Redis Cluster (the weakest of ${masters.length} masters)` : 'Redis';
  return {
    durable,
    statement: `${where} with appendonly=yes, ${settings.join(', ')}: ${
      durable
        ? 'an accepted OTP is on disk before the verdict is given (a failover to a replica may still lose the last ones)'
        : `a crash of the machine can lose ${describeLoss(syncing)}, and the OTPs accepted in that time would be accepted again`
    }`,
  };
}

function describeLoss({ appendfsync, pausedByRewrite }: Syncing): string {
  const inRewrite = 'everything since Redis began to rewrite the append-only file or to save a snapshot';
  if (appendfsync === 'always') return inRewrite;
  if (appendfsync === 'everysec') return `the last second${pausedByRewrite ? `, or ${inRewrite}` : ''}`;
  return 'everything since the system last wrote to disk';
}

/** When the append-only file is synced; for several servers, the weakest of their settings. */
interface Syncing {
  readonly appendfsync: string;
  /** Whether it is not synced while Redis rewrites it or saves a snapshot. */
  readonly pausedByRewrite: boolean;
}

/** From weakest to strongest. Any other value counts as unknown, which is weaker than all. */
const APPENDFSYNC = ['no', 'everysec', 'always'];

/**
 * A command without a key goes to a master of the client's choice: `redis` takes turns, `ioredis` picks one at
 * random. With this many commands for each master, a given one is missed at fewer than one start in 10^10.
 */
const TIMES_PER_MASTER = 24;

/**
 * Reads the settings of every master of a cluster, or of the one server. They are unknown if CONFIG is not allowed, as
 * with hosted Redis, or if the client's commands do not reach every master.
 */
async function readSyncing(commands: RedisCommands, masters?: readonly Master[]): Promise<Syncing> {
  const times = masters ? masters.length * TIMES_PER_MASTER : 1;
  const askAll = (...command: string[]) =>
    Promise.all(Array.from({ length: times }, () => commands.send(undefined, command)));
  try {
    if (masters) {
      const reached = new Set(await askAll('CLUSTER', 'MYID'));
      if (!masters.every(({ id }) => reached.has(id))) return combineWeakest([]);
    }
    return combineWeakest((await askAll('CONFIG', 'GET', '*append*')).map(parseSettings));
  } catch {
    return combineWeakest([]);
  }
}

function combineWeakest(servers: readonly ReadonlyMap<string, unknown>[]): Syncing {
  const ranks = servers.map((settings) => APPENDFSYNC.indexOf(String(settings.get('appendfsync'))));
  return {
    appendfsync: APPENDFSYNC[Math.min(...ranks)] ?? 'unknown',
    pausedByRewrite: servers.some((settings) => settings.get('no-appendfsync-on-rewrite') === 'yes'),
  };
}

/** Clients return alternating names and values, or an object. */
function parseSettings(answer: unknown): Map<string, unknown> {
  if (!Array.isArray(answer)) return new Map(Object.entries(answer as object));
  return new Map(answer.flatMap((name, at) => (at % 2 === 0 ? [[name, answer[at + 1]]] : [])));
}
