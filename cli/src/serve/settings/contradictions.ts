import { isLoopbackHost } from '../addresses.js';
import { placesOf } from '../places.js';
import type { Settings } from './serve-settings.js';

/** What settings that fit one by one must not say together, with what to change. */
export function contradictionsIn(settings: Settings, hasManagementToken: boolean): string[] {
  const { validation, ksm, ksmHost, ksmPort, tlsCert, tlsKey } = settings;
  return [
    !validation && !ksm && 'Nothing is left to serve: leave out --no-validation or --no-ksm',
    !ksm &&
      (ksmHost ?? ksmPort) !== undefined &&
      '--no-ksm and a place of its own for the KSM: leave one out',
    tlsCert !== undefined && tlsKey === undefined && '--tls-cert needs --tls-key',
    tlsKey !== undefined && tlsCert === undefined && '--tls-key needs --tls-cert',
    !hasManagementToken && unprotectedManagement(settings),
    hasManagementToken &&
      settings.dangerouslyManageKeysWithoutToken &&
      'There is a management token, so leave out --dangerously-manage-keys-without-token',
  ].filter((mistake) => typeof mistake === 'string');
}

/** Without a token, a KSM is for this machine alone. */
function unprotectedManagement(settings: Settings): string | false {
  const { ksm } = placesOf(settings);
  if (!ksm) return false;
  const who = !isLoopbackHost(ksm.host)
    ? `whoever reaches ${ksm.host}`
    : settings.trustProxy && 'whoever reaches the proxy';
  if (!who) return false;
  return (
    `Without a management token, the KSM is for this machine alone, but ${who} would reach it: set YUBIKEY_MANAGEMENT_TOKEN or ` +
    '--management-token-file (openssl rand -hex 32 makes one), let the KSM listen on --ksm-host 127.0.0.1, or use --no-ksm'
  );
}

/** What is allowed and seldom meant. */
export function warningsAbout(settings: Settings): string[] {
  const { validation, ksm } = placesOf(settings);
  const open = [validation, ksm].filter((place) => place && !isLoopbackHost(place.host));
  const warnings = [];
  if (open.length > 0 && settings.tlsCert === undefined) {
    warnings.push(
      'OTPs, and the management token, go over the network as plain text: give --tls-cert and --tls-key, or have ' +
        'a proxy in front end TLS and let nobody else reach this port',
    );
  }
  if (ksm && open.includes(ksm) && settings.allowDecryptFrom === undefined) {
    warnings.push(
      `Whoever reaches ${ksm.host} can have OTPs decrypted: name the validation servers with --allow-decrypt-from`,
    );
  }
  return warnings;
}
