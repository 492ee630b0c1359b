import type { Place } from './http-server.js';
import type { Settings } from './settings/serve-settings.js';

/** The port of the KSM in its API reference. */
const KSM_PORT = 8002;

/** Where what is served listens. */
export interface Places {
  readonly validation?: Place;
  /** The same object as `validation` where they share a port. */
  readonly ksm?: Place;
  readonly metrics?: Place;
}

export function placesOf(settings: Settings): Places {
  const { host, port, ksmHost, ksmPort, metricsHost, metricsPort } = settings;
  const main = { host, port };
  const isApart = ksmHost !== undefined || ksmPort !== undefined;
  const ksm = isApart ? { host: ksmHost ?? host, port: ksmPort ?? KSM_PORT } : main;
  return {
    ...(settings.validation && { validation: main }),
    ...(settings.ksm && { ksm }),
    ...(metricsPort !== undefined && { metrics: { host: metricsHost, port: metricsPort } }),
  };
}
