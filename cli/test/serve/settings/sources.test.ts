import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { readConfigFile } from '../../../src/serve/settings/config-file.js';
import { LISTED_SETTINGS } from '../../../src/serve/settings/listed-settings.js';
import { resolveSettings, type Sources } from '../../../src/serve/settings/sources.js';
import { SetupError } from '../../../src/terminal/failure.js';
import { addGlobalOptions } from '../../../src/terminal/global-options.js';
import { temporaryFolder } from '../../support/command.js';

const NOTHING: Sources = { flags: {}, environment: {} };
const file = (values: Record<string, unknown>) => ({ path: 'serve.json', values });

describe('settings', () => {
  it.each(LISTED_SETTINGS)(
    '$name is called the same as an option, in the environment and in a file',
    ({ name, option, variable }) => {
      expect(new Option(option, '').attributeName()).toBe(name);
      expect(variable).toMatch(/^YUBIKEY_[A-Z]+(_[A-Z]+)*$/);
    },
  );

  it.each(LISTED_SETTINGS.filter(({ isGlobal }) => isGlobal))(
    '$name is an option of every command',
    ({ name, option }) => {
      const program = new Command();
      addGlobalOptions(program);
      expect(program.options.find((each) => each.attributeName() === name)?.flags).toBe(option);
    },
  );

  it('are taken from options, then the environment, then the file, then the defaults', () => {
    const flags = { port: '1' };
    const environment = { YUBIKEY_PORT: '2', YUBIKEY_KSM_PORT: '3' };
    const values = { port: 4, ksmPort: 5, metricsPort: 6 };
    const { settings, mistakes } = resolveSettings({ flags, environment, file: file(values) });
    expect(mistakes).toEqual([]);
    expect(settings).toMatchObject({ port: 1, ksmPort: 3, metricsPort: 6, host: '127.0.0.1' });
  });

  it('read yes, no and lists from the environment, and ignore an empty variable', () => {
    const environment = {
      YUBIKEY_KSM: 'false',
      YUBIKEY_DELAY_TOLERANCE: 'true',
      YUBIKEY_ALLOW_DECRYPT_FROM: '10.0.0.0/8, ::1',
      YUBIKEY_HOST: '',
    };
    const { settings, mistakes } = resolveSettings({ ...NOTHING, environment });
    expect(mistakes).toEqual([]);
    expect(settings).toMatchObject({ ksm: false, delayTolerance: true, host: '127.0.0.1' });
    expect(settings.allowDecryptFrom).toEqual(['10.0.0.0/8', '::1']);
  });

  it('prefer the master key in the environment to a master key file in the configuration', () => {
    const values = { masterKeyFile: './other' };
    expect(resolveSettings({ ...NOTHING, file: file(values) }).settings.masterKeyFile).toBe('./other');
    const environment = { YUBIKEY_MASTER_KEY: 'id:key' };
    expect(
      resolveSettings({ flags: {}, environment, file: file(values) }).settings.masterKeyFile,
    ).toBeUndefined();
  });
});

describe('mistakes in settings', () => {
  const FLAGS: [string, unknown, string][] = [
    ['port', '65536', '--port takes a whole number from 0 to 65535'],
    ['port', '-1', '--port'],
    ['port', '1e3', '--port'],
    ['host', '', '--host takes'],
    ['masterKeyFile', '', '--master-key-file takes'],
    ['allowDecryptFrom', '10.0.0.0/33', '--allow-decrypt-from takes addresses and ranges'],
    ['allowDecryptFrom', 'loopback', '--allow-decrypt-from'],
    ['allowDecryptFrom', '10', '--allow-decrypt-from'],
    ['allowDecryptFrom', '10/8', '--allow-decrypt-from'],
    ['allowDecryptFrom', '', '--allow-decrypt-from'],
    ['trustProxy', 'true', '--trust-proxy'],
    ['logLevel', 'loud', '--log-level takes one of error, warn'],
    ['addressLimit', 'many', '--address-limit'],
  ];
  it.each(FLAGS)('%s %j is refused by its name', (name, value, message) => {
    const { mistakes } = resolveSettings({ ...NOTHING, flags: { [name]: value } });
    expect(mistakes).toEqual([expect.stringContaining(message)]);
  });

  const VALUES: [string, unknown][] = [
    ['port', '8080'],
    ['port', 80.5],
    ['ksm', 'no'],
    ['host', 7],
    ['db', null],
    ['trustProxy', '10.0.0.1'],
    ['trustProxy', [1]],
    ['logLevel', 'INFO'],
  ];
  it.each(VALUES)('%s: %j in a file is refused by its name', (name, value) => {
    const { mistakes } = resolveSettings({ ...NOTHING, file: file({ [name]: value }) });
    expect(mistakes).toEqual([expect.stringContaining(`${name} in serve.json takes `)]);
  });

  const UNKNOWN: [string, string][] = [
    ['Port', 'did you mean port?'],
    ['tls-cert', 'did you mean tlsCert?'],
    ['TLS_CERT', 'did you mean tlsCert?'],
    ['adressLimit', 'did you mean addressLimit?'],
    ['trustedProxy', 'did you mean trustProxy?'],
    ['constructor', 'the settings are db, masterKeyFile'],
    ['__proto__', 'the settings are db'],
  ];
  it.each(UNKNOWN)('%s in a file is not a setting: %s', (name, advice) => {
    const values = JSON.parse(`{${JSON.stringify(name)}: 1}`);
    const { mistakes } = resolveSettings({ ...NOTHING, file: file(values) });
    expect(mistakes).toEqual([expect.stringContaining(advice)]);
  });

  it('a misspelled variable is named, and what belongs to others is left alone', () => {
    const environment = {
      YUBIKEY_ALLOW_DECRYPT_FORM: '10.0.0.1',
      YUBIKEY_SERVERS: 'x',
      YUBIKEY_API_KEY: 'x',
      YUBIKEY_SERVICE_HOST: '10.0.0.2',
    };
    const { mistakes } = resolveSettings({ ...NOTHING, environment });
    expect(mistakes).toEqual([
      'YUBIKEY_ALLOW_DECRYPT_FORM in the environment is not a setting: did you mean YUBIKEY_ALLOW_DECRYPT_FROM?',
    ]);
  });

  it('are all found at once, and repeat no value', () => {
    const { mistakes } = resolveSettings({
      flags: { port: 'secret-1' },
      environment: { YUBIKEY_LOG_LEVEL: 'secret-2' },
      file: file({ db: ['secret-3'], prot: 'secret-4' }),
    });
    expect(mistakes).toHaveLength(4);
    expect(mistakes.join()).not.toContain('secret');
  });
});

describe('a configuration file', () => {
  it.each([
    ['{"db": "postgres://me:hunter2@h/db"', 'is not JSON'],
    ['[1]', 'must hold one JSON object'],
    ['null', 'must hold one JSON object'],
  ])('%s is refused without repeating it', (text, message) => {
    const path = join(temporaryFolder(), 'serve.json');
    writeFileSync(path, text);
    expect(() => readConfigFile(path)).toThrow(SetupError);
    expect(() => readConfigFile(path)).toThrow(message);
    expect(() => readConfigFile(path)).not.toThrow('hunter2');
  });

  it('that does not exist is named', () => {
    expect(() => readConfigFile('/nonexistent/serve.json')).toThrow(/\/nonexistent\/serve.json .*ENOENT/);
  });
});
