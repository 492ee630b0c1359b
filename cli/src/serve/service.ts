import type { Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { KsmVerifier, LocalKsm } from 'passport-yubikey-otp';
import { ksmListener, type Listener, validationListener } from 'passport-yubikey-otp/server';
import { CachedClientStore, CachedKeyStore } from 'passport-yubikey-otp/stores';
import type { Secrets } from '../database/session.js';
import { createAddressReader } from './addresses.js';
import { endpoints, metricsListener } from './endpoints.js';
import { createHttpServer, listen, type Place } from './http-server.js';
import { limitAddresses, limitReplays, RateLimit } from './limits.js';
import { type Log, logKsm, logVerification } from './logs.js';
import { Metrics } from './metrics.js';
import { planPlaces } from './places.js';
import { Readiness } from './readiness.js';
import type { Settings } from './settings/serve-settings.js';
import { GracefulStop } from './stop.js';
import { type Certificate, reloadOnHangup } from './tls.js';

export interface ServiceOptions {
  readonly settings: Settings;
  readonly secrets: Secrets;
  readonly certificate: Certificate | undefined;
  readonly managementToken: string | undefined;
  readonly log: Log;
}

/** The URL of each part that is served. */
export interface ServiceUrls {
  validation?: string | undefined;
  ksm?: string | undefined;
  metrics?: string | undefined;
}

/** A service that is listening. */
export interface RunningService {
  readonly urls: ServiceUrls;
  stop(): Promise<void>;
}

/** Starts every part of the service that the settings name; parts that share a place share a server. */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { settings, secrets, certificate, log } = options;
  const places = planPlaces(settings);
  const metrics = new Metrics();
  const stopping = new GracefulStop();
  const readiness = new Readiness(secrets.database);
  const shared = endpoints({
    readiness,
    metrics: places.metrics ? undefined : metrics,
    isStopping: () => stopping.isStopping,
  });
  const readAddress = createAddressReader(settings.trustProxy);
  const limit = new RateLimit(settings.addressLimit);
  const limited = (listeners: readonly Listener[]) => [
    shared,
    limitAddresses(chain(listeners), limit, readAddress),
  ];
  const { validation, ksm } = createServices(options, metrics, readiness);
  const isShared = places.validation === places.ksm;
  const urls: ServiceUrls = {};
  const encrypted: Server[] = [];

  async function start(
    place: Place,
    listeners: readonly Listener[],
    tls: Certificate | undefined,
  ): Promise<string> {
    const server = createHttpServer(stopping.watch(chain(listeners)), tls);
    stopping.add(server);
    if (tls) encrypted.push(server);
    return listen(server, place, tls);
  }

  try {
    if (places.validation) {
      const listeners = limited(isShared ? [validation, ksm] : [validation]);
      urls.validation = await start(places.validation, listeners, certificate);
    }
    if (places.ksm)
      urls.ksm = isShared
        ? (urls.validation as string)
        : await start(places.ksm, limited([ksm]), certificate);
    if (places.metrics) urls.metrics = await start(places.metrics, [metricsListener(metrics)], undefined);
  } catch (error) {
    await stopping.stop();
    throw error;
  }
  if (certificate) reloadOnHangup(encrypted as HttpsServer[], settings, log);
  return { urls, stop: () => stopping.stop() };
}

function createServices(
  { settings, secrets, managementToken, log }: ServiceOptions,
  metrics: Metrics,
  readiness: Readiness,
): { validation: Listener; ksm: Listener } {
  const { database } = secrets;
  const keys = new CachedKeyStore(secrets.keys);
  const clients = new CachedClientStore(secrets.clients);
  const { db, delayTolerance, allowDecryptFrom } = settings;
  const counters = limitReplays(readiness.watch(database.counters), new RateLimit(settings.replayLimit));
  const clientLimit = new RateLimit(settings.clientLimit);
  const readAddress = createAddressReader(settings.trustProxy);
  const ksm = new LocalKsm(keys);
  return {
    validation: validationListener({
      verifier: new KsmVerifier({ ksm, counters, delayTolerance: delayTolerance || undefined }),
      clients,
      limitClient: (clientId) => clientLimit.take(clientId),
      addressOf: readAddress,
      onVerification(event) {
        metrics.countVerification(event);
        logVerification(log, event, db);
      },
    }),
    ksm: ksmListener({
      keys,
      counters,
      managementToken,
      dangerouslyManageKeysWithoutToken: settings.dangerouslyManageKeysWithoutToken,
      allowDecryptFrom,
      refuseWsapiReplays: settings.wsapiRefuseReplays,
      yubikeyKsmWording: settings.wsapiYubikeyKsmWording,
      addressOf: readAddress,
      onRequest(event) {
        metrics.countKsm(event);
        logKsm(log, event, db);
      },
    }),
  };
}

/** Tries one listener after another. */
function chain(listeners: readonly Listener[]): Listener {
  return listeners.reduceRight<Listener>(
    (rest, listener) => (request, response, next) =>
      listener(request, response, () => rest(request, response, next)),
    (_request, _response, next) => next?.(),
  );
}
