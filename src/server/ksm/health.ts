import type { CounterStore, KeyStore } from '../../stores/store.js';
import { type Answer, json } from '../http.js';

const MAX_MS = 2000;

/** What of the stores is looked at; they may be of two databases. */
export interface Looked {
  readonly keys: Pick<KeyStore, 'get'>;
  readonly counters: Pick<CounterStore, 'get'>;
}

/** `GET /health`: 200 as long as this process answers; the body says whether its database does too. */
export async function health(stores: Looked): Promise<Answer> {
  const isConnected = await answersInTime(stores);
  return json(200, {
    status: isConnected ? 'healthy' : 'degraded',
    database: { status: isConnected ? 'connected' : 'disconnected' },
  });
}

async function answersInTime(stores: Looked): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, MAX_MS, false);
  });
  return Promise.race([answers(stores), late]).finally(() => clearTimeout(timer));
}

async function answers({ keys, counters }: Looked): Promise<boolean> {
  try {
    await Promise.all([keys.get(''), counters.get('')]);
    return true;
  } catch {
    return false;
  }
}
