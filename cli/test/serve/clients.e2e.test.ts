import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SoftYubikey } from '../../../src/testing/index.js';
import { describePam } from '../../../test/support/server/clients/pam.js';
import {
  CA_FILE,
  type StartValidationServer,
  tlsFile,
} from '../../../test/support/server/clients/validation-server.js';
import { describeYkclient } from '../../../test/support/server/clients/ykclient.js';
import { start } from '../support/command.js';
import { firstClient, Service, store } from '../support/serve/service.js';

/** `yubikey-otp serve` as its first start leaves it, with one key stored. */
const startServe: StartValidationServer = async ({ tls = false } = {}) => {
  const cwd = mkdtempSync(join(tmpdir(), 'yubikey-otp-'));
  const certificate = ['--tls-cert', tlsFile('server.pem'), '--tls-key', tlsFile('server.key.pem')];
  const service = new Service(start(['serve', '--port', '0', ...(tls ? certificate : [])], { cwd }));
  await service.says('Validation server: ');
  const yubikey = new SoftYubikey();
  await store([yubikey], { cwd });
  return {
    url: `${service.url}/wsapi/2.0/verify`,
    caFile: tls ? CA_FILE : undefined,
    ...firstClient(cwd),
    yubikey,
    async close() {
      await service.stop();
      rmSync(cwd, { recursive: true, force: true });
    },
  };
};

describeYkclient('yubikey-otp serve', startServe);
describePam('yubikey-otp serve', startServe);
