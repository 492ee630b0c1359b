import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLocalRequest, type Listener, sendAnswer } from 'passport-yubikey-otp/server';
import type { Metrics } from './metrics.js';
import type { Readiness } from './readiness.js';

/** Supervisors restart a process whose health check takes a second. */
const HEALTH_MS = 250;

export interface EndpointsOptions {
  readonly readiness: Readiness;
  /** Served to this machine only. Undefined: not here. */
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
        if (metrics && isLocalRequest(request)) {
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
    if (parsePath(request) !== '/metrics') {
      sendAnswer(response, { status: 404, body: 'Not found: this port has /metrics\n' });
    } else if (isRead(request, response)) void answerMetrics(response, metrics);
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
  sendAnswer(response, { status: 200, type: metrics.contentType, body: await metrics.text() });
}

function parsePath({ url = '' }: IncomingMessage): string {
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}

function isRead({ method }: IncomingMessage, response: ServerResponse): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  sendAnswer(response, { status: 405, body: 'Use GET\n', headers: { Allow: 'GET, HEAD' } });
  return false;
}

function answerJson(response: ServerResponse, status: number, value: unknown): void {
  sendAnswer(response, { status, type: 'application/json', body: JSON.stringify(value) });
}
