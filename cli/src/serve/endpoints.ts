import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Listener } from 'passport-yubikey-otp/server';
import { isForwarded, isLoopback } from './addresses.js';
import { answer, answerJson, send } from './answer.js';
import type { Metrics } from './metrics.js';
import type { Readiness } from './readiness.js';

/** Supervisors restart a process whose health check takes a second. */
const HEALTH_MS = 250;

export interface EndpointsOptions {
  readonly readiness: Readiness;
  /** Served on loopback only. Undefined: not here. */
  readonly metrics?: Metrics | undefined;
  isStopping(): boolean;
}

/**
 * The endpoints for operators: `/health` is 200 as long as the process answers, `/ready` is 503 while the database
 * takes no writes or the service is stopping, `/metrics` is for Prometheus.
 */
export function endpoints({ readiness, metrics, isStopping }: EndpointsOptions): Listener {
  return (request, response, next) => {
    switch (parsePath(request)) {
      case '/health':
        if (isRead(request, response)) void answerHealth(response, readiness);
        return;
      case '/ready':
        if (isRead(request, response)) void answerReady(response, readiness, isStopping());
        return;
      case '/metrics':
        if (metrics && isLocal(request)) {
          if (isRead(request, response)) void answerMetrics(response, metrics);
          return;
        }
    }
    next?.();
  };
}

/** Serves `/metrics` alone, on its own port. */
export function metricsListener(metrics: Metrics): Listener {
  return (request, response) => {
    if (parsePath(request) !== '/metrics') answer(response, 404, 'Not found: this port has /metrics');
    else if (isRead(request, response)) void answerMetrics(response, metrics);
  };
}

/** Answers in the format of the KSM's REST API. */
async function answerHealth(response: ServerResponse, readiness: Readiness): Promise<void> {
  const status = (await readiness.check(HEALTH_MS)) ? 'connected' : 'disconnected';
  answerJson(response, 200, { status: 'healthy', database: { status } });
}

async function answerReady(
  response: ServerResponse,
  readiness: Readiness,
  isStopping: boolean,
): Promise<void> {
  if (isStopping) return answerJson(response, 503, { status: 'stopping' });
  if (await readiness.check()) return answerJson(response, 200, { status: 'ready' });
  answerJson(response, 503, { status: 'unavailable', database: { status: 'disconnected' } });
}

async function answerMetrics(response: ServerResponse, metrics: Metrics): Promise<void> {
  send(response, 200, metrics.contentType, await metrics.text());
}

function parsePath({ url = '' }: IncomingMessage): string {
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}

const isLocal = (request: IncomingMessage) =>
  isLoopback(request.socket.remoteAddress) && !isForwarded(request);

function isRead({ method }: IncomingMessage, response: ServerResponse): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  answer(response, 405, 'Use GET', { Allow: 'GET, HEAD' });
  return false;
}
