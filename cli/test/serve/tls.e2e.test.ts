import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/command.js';
import { firstClient, refused, serve, store, verdict } from '../support/serve/service.js';

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../../test/support/fixtures/tls/${name}`, import.meta.url));
const ca = readFileSync(fixture('ca.pem'), 'utf8');

/** The name in the certificate that a new connection gets. */
function nameAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ca, checkServerIdentity: () => undefined }, () => {
      resolve(String(socket.getPeerX509Certificate()?.subjectAltName));
      socket.destroy();
    }).on('error', reject);
  });
}

function useCertificate(folder: string, name: string): void {
  copyFileSync(fixture(`${name}.pem`), join(folder, 'cert.pem'));
  copyFileSync(fixture(`${name}.key.pem`), join(folder, 'key.pem'));
}

it('verifies over TLS, and takes a renewed certificate at SIGHUP', async () => {
  const cwd = temporaryFolder();
  useCertificate(cwd, 'server');
  const service = await serve(['--tls-cert', 'cert.pem', '--tls-key', 'key.pem'], { cwd });
  expect(service.url).toMatch(/^https:/);
  const yubikey = new SoftYubikey();
  await store([yubikey], { cwd });
  expect(await verdict(service, firstClient(cwd), yubikey.press(), { ca })).toBe('OK');
  const port = Number(new URL(service.url).port);
  expect(await nameAt(port)).toContain('localhost');

  useCertificate(cwd, 'other-host');
  service.child.kill('SIGHUP');
  await service.line({ msg: 'loaded the new certificate' });
  expect(await nameAt(port)).toContain('other.example');

  copyFileSync(fixture('server.key.pem'), join(cwd, 'key.pem'));
  service.child.kill('SIGHUP');
  await service.line({ msg: 'kept the old certificate' });
  expect(await nameAt(port)).toContain('other.example');
  expect((await service.stop()).code).toBe(0);
});

it('refuses a certificate with the key of another certificate', async () => {
  const args = ['--tls-cert', fixture('server.pem'), '--tls-key', fixture('other-host.key.pem')];
  const ended = await refused(args, { cwd: temporaryFolder() });
  expect(ended).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('are not a certificate and its key'),
  });
});
