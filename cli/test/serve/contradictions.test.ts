import { describe, expect, it } from 'vitest';
import { contradictionsIn, warningsAbout } from '../../src/serve/contradictions.js';
import { resolveSettings } from '../../src/serve/settings/sources.js';

/** Settings as a configuration file gives them. */
function settings(values: Record<string, unknown> = {}) {
  const resolved = resolveSettings({ flags: {}, environment: {}, file: { path: 'serve.json', values } });
  expect(resolved.mistakes).toEqual([]);
  return resolved.settings;
}

describe('managing keys over HTTP without a management token', () => {
  it.each<[Record<string, unknown>]>([
    [{}],
    [{ host: 'localhost' }],
    [{ host: '127.1.2.3' }],
    [{ host: '::1' }],
    [{ host: '::ffff:127.0.0.1' }],
    [{ host: '0.0.0.0', ksm: false }],
    [{ host: '0.0.0.0', ksmHost: '127.0.0.1' }],
    [{ trustProxy: ['loopback'], ksm: false }],
  ])('is for this machine: %j', (values) => {
    expect(contradictionsIn(settings(values), false)).toEqual([]);
  });

  it.each<[Record<string, unknown>]>([
    [{ host: '0.0.0.0' }],
    [{ host: '::' }],
    [{ host: '10.0.0.1' }],
    [{ host: 'yubikey.example' }],
    [{ host: 'localhost.example' }],
    [{ ksmHost: '0.0.0.0' }],
    [{ host: '0.0.0.0', ksmPort: 8002 }],
    [{ host: '0.0.0.0', validation: false }],
    [{ trustProxy: ['loopback'] }],
  ])('is refused: %j', (values) => {
    expect(contradictionsIn(settings(values), false)).toEqual([
      expect.stringMatching(/^Without a management token.*YUBIKEY_MANAGEMENT_TOKEN/),
    ]);
    expect(contradictionsIn(settings(values), true)).toEqual([]);
  });
});

it.each<[Record<string, unknown>, string]>([
  [{ validation: false, ksm: false }, 'Nothing is left to serve'],
  [{ ksm: false, ksmPort: 8002 }, '--no-ksm'],
  [{ dangerouslyManageKeysWithoutToken: true }, '--dangerously-manage-keys-without-token'],
  [{ tlsCert: 'a' }, '--tls-cert needs --tls-key'],
  [{ tlsKey: 'a' }, '--tls-key needs --tls-cert'],
])('%j contradicts itself: %s', (values, message) => {
  expect(contradictionsIn(settings(values), true)).toEqual([expect.stringContaining(message)]);
});

describe('warnings', () => {
  it('are of plain text on a network, and of a KSM that is open to all', () => {
    const [plain, open] = warningsAbout(settings({ host: '0.0.0.0' }));
    expect(plain).toContain('plain text');
    expect(open).toContain('--allow-decrypt-from');
    expect(warningsAbout(settings({ host: '0.0.0.0', allowDecryptFrom: ['10.0.0.0/8'] }))).toEqual([plain]);
  });

  it.each<[Record<string, unknown>]>([
    [{}],
    [{ host: '0.0.0.0', tlsCert: 'a', tlsKey: 'b', ksmHost: '127.0.0.1' }],
    [{ host: '0.0.0.0', tlsCert: 'a', tlsKey: 'b', allowDecryptFrom: ['10.0.0.0/8'] }],
  ])('are not given for %j', (values) => {
    expect(warningsAbout(settings(values))).toEqual([]);
  });
});
