import type { CounterStore, KeyStore } from '../../stores/store.js';
import { jsonAnswer, type ListenerAnswer } from '../http.js';

const TIMEOUT_MS = 2000;

/** The stores to check. They may belong to two databases. */
export interface HealthStores {
  readonly keys: Pick<KeyStore, 'get'>;
  readonly counters: Pick<CounterStore, 'get'>;
}

/** `GET /health`: always 200; the body says whether the database answers too. */
export async function answerHealth(stores: HealthStores): Promise<ListenerAnswer> {
  const isConnected = await answerInTime(stores);
  return jsonAnswer(200, {
    status: isConnected ? 'healthy' : 'degraded',
    database: { status: isConnected ? 'connected' : 'disconnected' },
  });
}

async function answerInTime(stores: HealthStores): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, TIMEOUT_MS, false);
  });
  return Promise.race([bothAnswer(stores), late]).finally(() => clearTimeout(timer));
}

async function bothAnswer({ keys, counters }: HealthStores): Promise<boolean> {
  try {
    await Promise.all([keys.get(''), counters.get('')]);
    return true;
  } catch {
    return false;
  }
}
