import type { CounterStore } from '../../stores/store.js';
import { type Answer, json } from '../http.js';

const MAX_MS = 2000;

/** `GET /health`: 200 as long as this process answers; the body says whether its database does too. */
export async function health(counters: Pick<CounterStore, 'get'>): Promise<Answer> {
  const isConnected = await answersInTime(counters);
  return json(200, {
    status: isConnected ? 'healthy' : 'degraded',
    database: { status: isConnected ? 'connected' : 'disconnected' },
  });
}

async function answersInTime(counters: Pick<CounterStore, 'get'>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, MAX_MS, false);
  });
  const looked = counters.get('').then(
    () => true,
    () => false,
  );
  return Promise.race([looked, late]).finally(() => clearTimeout(timer));
}
