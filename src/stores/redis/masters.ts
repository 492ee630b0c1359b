import type { Commands } from './redis-client.js';
import { keysInEachSlot, SLOTS, slotOf } from './slots.js';

/** A server of Redis Cluster that answers for slots. */
export interface Master {
  readonly id: string;
  readonly address: string;
  /** A key that it would hold; undefined where the prefix puts every key on another master. */
  key?: string;
}

type Range = [first: number, last: number, master: [host: string, port: number, id: string]];

export async function mastersOf(commands: Commands): Promise<Master[]> {
  const masters = new Map<string, Master>();
  const masterOfSlot = new Array<Master | undefined>(SLOTS);
  const ranges = (await commands.send(undefined, ['CLUSTER', 'SLOTS'])) as Range[];
  for (const [first, last, [host, port, id]] of ranges) {
    const master = masters.get(id) ?? { id, address: `${host}:${port}` };
    masters.set(id, master);
    masterOfSlot.fill(master, first, last + 1);
  }
  let withoutKey = masters.size;
  for (const key of keysInEachSlot(commands.prefix)) {
    if (withoutKey === 0) break;
    const master = masterOfSlot[slotOf(key)];
    if (!master || master.key !== undefined) continue;
    master.key = key;
    withoutKey--;
  }
  return [...masters.values()];
}
