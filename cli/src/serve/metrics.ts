import type { KsmEvent, VerificationEvent } from 'passport-yubikey-otp/server';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** From the time of an answer out of memory to the time after which clients give up. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts what the services answer, for Prometheus. No label names a key or a client: a stranger could make up any number of them. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #verifications = new Counter({
    name: 'yubikey_verifications_total',
    help: 'Requests to the validation server, by the status of the answer',
    labelNames: ['protocol', 'status'],
    registers: [this.#registry],
  });
  readonly #verificationSeconds = new Histogram({
    name: 'yubikey_verification_seconds',
    help: 'Time until the validation server answered, in seconds',
    labelNames: ['status'],
    buckets: SECONDS,
    registers: [this.#registry],
  });
  readonly #ksmRequests = new Counter({
    name: 'yubikey_ksm_requests_total',
    help: 'Requests to the KSM, by their outcome',
    labelNames: ['operation', 'protocol', 'outcome'],
    registers: [this.#registry],
  });
  readonly #ksmSeconds = new Histogram({
    name: 'yubikey_ksm_request_seconds',
    help: 'Time until the KSM answered, in seconds',
    labelNames: ['operation'],
    buckets: SECONDS,
    registers: [this.#registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  countVerification({ protocol, httpStatus, milliseconds, ...event }: VerificationEvent): void {
    const status = event.status === 'HTTP_ERROR' ? `HTTP_${httpStatus}` : event.status;
    this.#verifications.inc({ protocol, status });
    this.#verificationSeconds.observe({ status }, milliseconds / 1000);
  }

  countKsm({ operation, protocol, outcome, milliseconds }: KsmEvent): void {
    this.#ksmRequests.inc({ operation, protocol, outcome });
    this.#ksmSeconds.observe({ operation }, milliseconds / 1000);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
