import type { Place } from './http-server.js';
import type { Settings } from './settings/serve-settings.js';

/** The port that the KSM's API reference names. */
const KSM_PORT = 8002;

/** Where each part of the service listens. */
export interface Places {
  readonly validation?: Place | undefined;
  /** The same object as `validation` if they share a port. */
  readonly ksm?: Place | undefined;
  readonly metrics?: Place | undefined;
}

/** Decides where each part of the service listens. */
export function planPlaces(settings: Settings): Places {
  const { host, port, ksmHost, ksmPort, metricsHost, metricsPort } = settings;
  const main = { host, port };
  const isApart = ksmHost !== undefined || ksmPort !== undefined;
  const ksm = isApart ? { host: ksmHost ?? host, port: ksmPort ?? KSM_PORT } : main;
  return {
    validation: settings.validation ? main : undefined,
    ksm: settings.ksm ? ksm : undefined,
    metrics: metricsPort === undefined ? undefined : { host: metricsHost, port: metricsPort },
  };
}
