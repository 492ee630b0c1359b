import { isLoopback } from 'passport-yubikey-otp/server';
import { planPlaces } from './places.js';
import type { Settings } from './settings/serve-settings.js';

/** Settings that fit one by one but not together, each with what to change. */
export function contradictionsIn(settings: Settings, hasManagementToken: boolean): string[] {
  const { validation, ksm, ksmHost, ksmPort, tlsCert, tlsKey } = settings;
  return [
    !validation && !ksm && 'Nothing is left to serve: leave out --no-validation or --no-ksm',
    !ksm &&
      (ksmHost ?? ksmPort) !== undefined &&
      '--no-ksm contradicts --ksm-host and --ksm-port: leave one out',
    tlsCert !== undefined && tlsKey === undefined && '--tls-cert needs --tls-key',
    tlsKey !== undefined && tlsCert === undefined && '--tls-key needs --tls-cert',
    !hasManagementToken && unprotectedManagement(settings),
    hasManagementToken &&
      settings.dangerouslyManageKeysWithoutToken &&
      'There is a management token, so leave out --dangerously-manage-keys-without-token',
  ].filter((mistake) => typeof mistake === 'string');
}

/** Without a management token, the KSM may be reached only from this machine. */
function unprotectedManagement(settings: Settings): string | false {
  const { ksm } = planPlaces(settings);
  if (!ksm) return false;
  const who = !isLoopback(ksm.host)
    ? `anybody who reaches ${ksm.host}`
    : settings.trustProxy && 'anybody who reaches the proxy';
  if (!who) return false;
  return (
    `Without a management token, the KSM is only for this machine, but ${who} could use it: set YUBIKEY_MANAGEMENT_TOKEN or ` +
    '--management-token-file (openssl rand -hex 32 makes one), let the KSM listen on --ksm-host 127.0.0.1, or use --no-ksm'
  );
}

/** Warnings about settings that are allowed but seldom intended. */
export function warningsAbout(settings: Settings): string[] {
  const { validation, ksm } = planPlaces(settings);
  const open = [validation, ksm].filter((place) => place && !isLoopback(place.host));
  const warnings = [];
  if (open.length > 0 && settings.tlsCert === undefined) {
    warnings.push(
      'OTPs and the management token go over the network as plain text: give --tls-cert and --tls-key, or put ' +
        'a proxy that terminates TLS in front, and let nothing else reach this port',
    );
  }
  if (ksm && open.includes(ksm) && settings.allowDecryptFrom === undefined) {
    warnings.push(
      `Anybody who reaches ${ksm.host} can have OTPs decrypted: name the validation servers with --allow-decrypt-from`,
    );
  }
  return warnings;
}
