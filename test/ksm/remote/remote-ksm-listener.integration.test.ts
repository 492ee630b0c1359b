import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { KsmVerifier, MemoryStore, parseOtp, RemoteKsm, YubikeyError } from '../../../src/index.js';
import { type KsmListenerOptions, ksmListener } from '../../../src/server/index.js';
import { describeVerifierContract, type OpenVerifier, SoftYubikey } from '../../../src/testing/index.js';

type Protocol = 'rest' | 'wsapi';

async function startServer(
  options: KsmListenerOptions,
): Promise<{ url: string; close: () => Promise<unknown> }> {
  const server = createServer(ksmListener(options));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
}

/** A verifier with its own counters that asks KSM services over one store. */
async function ask(
  protocol: Protocol,
  services: readonly KsmListenerOptions[],
): Promise<OpenVerifier & { ksm: RemoteKsm }> {
  const started = await Promise.all(services.map(startServer));
  const ksm = new RemoteKsm({ protocol, urls: started.map(({ url }) => url) });
  const close = async () => {
    await ksm.close();
    for (const server of started) await server.close();
  };
  return { ksm, verifier: new KsmVerifier({ ksm, counters: new MemoryStore().counters }), close };
}

async function storeWith(...keys: readonly SoftYubikey[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const { publicId, privateId, aesKey } of keys) await store.keys.add({ publicId, privateId, aesKey });
  return store;
}

function broken(keys: KsmListenerOptions['keys']): KsmListenerOptions['keys'] {
  const get = async () => {
    throw new Error('the disk is gone');
  };
  return { ...keys, get };
}

describeVerifierContract({ describe, it }, 'KsmVerifier, RemoteKsm and two ksmListeners with wsapi', {
  open: async (yubikeys) => {
    const { keys, counters } = await storeWith(...yubikeys);
    return ask('wsapi', [
      { keys, counters },
      { keys, counters },
    ]);
  },
});

describeVerifierContract(
  { describe, it },
  'KsmVerifier, RemoteKsm and a ksmListener that also refuses replays with wsapi',
  {
    open: async (yubikeys) => {
      const { keys, counters } = await storeWith(...yubikeys);
      return ask('wsapi', [{ keys, counters, refuseWsapiReplays: true }]);
    },
    nonces: false,
  },
);

describeVerifierContract({ describe, it }, 'KsmVerifier, RemoteKsm and two ksmListeners with REST', {
  open: async (yubikeys) => {
    const { keys, counters } = await storeWith(...yubikeys);
    return ask('rest', [
      { keys, counters },
      { keys, counters },
    ]);
  },
  nonces: false,
});

describe('KsmVerifier, RemoteKsm and ksmListener', () => {
  const opened: OpenVerifier[] = [];
  afterEach(async () => {
    for (const { close } of opened.splice(0)) await close();
  });

  async function open(protocol: Protocol, ...services: KsmListenerOptions[]) {
    const asked = await ask(protocol, services);
    opened.push(asked);
    return (otp: string) => asked.verifier.verify(parseOtp(otp));
  }

  it('refuse with REST an OTP that a verifier with other counters had decrypted', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters } = await storeWith(yubikey);
    const [one, other] = [await open('rest', { keys, counters }), await open('rest', { keys, counters })];
    const otp = yubikey.press();
    expect(await one(otp)).toMatchObject({ ok: true });
    expect(await other(otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    expect(await other(yubikey.press())).toMatchObject({ ok: true });
  });

  it('accept the same OTP with wsapi, where only the verifier refuses replays', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters } = await storeWith(yubikey);
    const [one, other] = [await open('wsapi', { keys, counters }), await open('wsapi', { keys, counters })];
    const otp = yubikey.press();
    expect(await one(otp)).toMatchObject({ ok: true });
    expect(await other(otp)).toMatchObject({ ok: true });
    expect(await counters.get(yubikey.publicId)).toBeUndefined();
  });

  it.each(['rest', 'wsapi'] as const)(
    'do not accept a key without its private ID with %s until REST has pinned it',
    async (protocol) => {
      const { keys, counters } = new MemoryStore();
      const yubikey = new SoftYubikey();
      await keys.add({ publicId: yubikey.publicId, aesKey: yubikey.aesKey });
      const verify = await open(protocol, { keys, counters });
      await expect(verify(yubikey.press())).rejects.toMatchObject({ code: 'PRIVATE_ID_UNCHECKED' });
      const overRest = await open('rest', { keys, counters });
      for (let presses = 0; presses < 2; presses++) await overRest(yubikey.press()).catch(() => undefined);
      expect(await verify(yubikey.press())).toMatchObject({ ok: true });
      const stolen = new SoftYubikey({
        publicId: yubikey.publicId,
        aesKey: yubikey.aesKey,
        usageCounter: 500,
      });
      expect(await verify(stolen.press())).toEqual({ ok: false, reason: 'BAD_OTP' });
    },
  );

  it('require another touch after the first OTP of a key without its private ID, at two KSMs over one store', async () => {
    const { keys, counters } = new MemoryStore();
    const yubikey = new SoftYubikey();
    await keys.add({ publicId: yubikey.publicId, aesKey: yubikey.aesKey });
    const verify = await open('rest', { keys, counters }, { keys, counters });
    const otp = yubikey.press();
    await expect(verify(otp)).rejects.toMatchObject({
      code: 'PRIVATE_ID_UNCHECKED',
      message: expect.stringContaining('touch the key again'),
    });
    expect(await verify(otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    expect(await verify(yubikey.press())).toMatchObject({ ok: true });
  });

  it.each(['rest', 'wsapi'] as const)(
    'accept the first OTP of such a key with %s if both allow unpinned keys, and with REST only then',
    async (protocol) => {
      for (const [atKsm, atVerifier, outcome] of [
        [true, true, 'OK'],
        [true, false, protocol === 'rest' ? 'PRIVATE_ID_UNCHECKED' : 'OK'],
        [false, true, 'PRIVATE_ID_UNCHECKED'],
      ] as const) {
        const { keys, counters } = new MemoryStore();
        const yubikey = new SoftYubikey();
        await keys.add({ publicId: yubikey.publicId, aesKey: yubikey.aesKey });
        const asked = await ask(protocol, [{ keys, counters, allowUnpinnedKeys: atKsm }]);
        opened.push(asked);
        const verifier = new KsmVerifier({
          ksm: asked.ksm,
          counters: new MemoryStore().counters,
          allowUnpinnedKeys: atVerifier,
        });
        const verified = verifier.verify(parseOtp(yubikey.press()));
        if (outcome === 'OK') expect(await verified).toMatchObject({ ok: true });
        else await expect(verified).rejects.toMatchObject({ code: outcome });
      }
    },
  );

  it('report the rate limit of a KSM with REST as a fault, never as a verdict', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters } = await storeWith(yubikey);
    const limited: KsmListenerOptions['counters'] = {
      get: (publicId) => counters.get(publicId),
      list: (options) => counters.list(options),
      advance: async () => {
        throw new YubikeyError('RATE_LIMITED', 'Too many');
      },
    };
    const verify = await open('rest', { keys, counters: limited });
    await expect(verify(yubikey.press())).rejects.toMatchObject({ code: 'KSM_FAILED' });
  });

  it.each(['rest', 'wsapi'] as const)(
    'report a KSM whose database fails or that denies access as a fault (%s)',
    async (protocol) => {
      const yubikey = new SoftYubikey();
      const { keys, counters } = await storeWith(yubikey);
      for (const service of [
        { keys: broken(keys), counters },
        { keys, counters, allowDecryptFrom: ['192.0.2.1'] },
      ]) {
        const verify = await open(protocol, service);
        await expect(verify(yubikey.press())).rejects.toMatchObject({ code: 'KSM_FAILED' });
      }
    },
  );

  it('accept an OTP if the database of one of two KSMs fails, and refuse a replay, with REST without a verdict', async () => {
    const yubikey = new SoftYubikey();
    const { keys, counters } = await storeWith(yubikey);
    const services = [
      { keys: broken(keys), counters },
      { keys, counters },
    ];
    const [rest, wsapi] = [await open('rest', ...services), await open('wsapi', ...services)];
    const otp = yubikey.press();
    expect(await wsapi(otp)).toMatchObject({ ok: true });
    expect(await wsapi(otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    expect(await rest(otp)).toMatchObject({ ok: true });
    // The KSM may have failed after it had used up the OTP.
    await expect(rest(otp)).rejects.toMatchObject({ code: 'ANSWER_LOST' });
  });
});
