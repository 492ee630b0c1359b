import { afterEach, describe, expect, it, vi } from 'vitest';
import { YubikeyError, type YubikeyErrorCode } from '../../../src/index.js';
import { parseResponseParameters } from '../../../src/protocol/validation-response.js';
import type { ValidationListenerOptions } from '../../../src/server/validation/validation-listener.js';
import type { ClientStore } from '../../../src/stores/index.js';
import {
  CLIENT,
  OTHER_CLIENT,
  type Reply,
  readStatus,
  rejectingVerifier,
  Service,
  signed,
  UNKNOWN_CLIENT,
} from '../../support/server/validation/service.js';
import { sign } from '../../support/verifiers/cloud/fake-server.js';

const opened: Service[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((service) => service.close()));
});

async function start(options: Partial<ValidationListenerOptions> = {}): Promise<Service> {
  const service = await Service.start({ options });
  opened.push(service);
  return service;
}

function isSignedBy({ text }: Reply, apiKey: string): boolean {
  const { h, ...fields } = Object.fromEntries(parseResponseParameters(text));
  return h === sign(fields, apiKey);
}

/** The status that each error code is answered with. Only those that clients can act on are passed on. */
const ANSWERS: Record<YubikeyErrorCode, string> = {
  OTP_MALFORMED: 'BACKEND_ERROR',
  BODY_NOT_PARSED: 'BACKEND_ERROR',
  UNSUPPORTED_MEDIA_TYPE: 'BACKEND_ERROR',
  UNREACHABLE: 'BACKEND_ERROR',
  TIMED_OUT: 'BACKEND_ERROR',
  TLS_FAILED: 'BACKEND_ERROR',
  REFUSED_BY_FRONT: 'BACKEND_ERROR',
  SERVER_FAILED: 'BACKEND_ERROR',
  REDIRECTED: 'BACKEND_ERROR',
  ANSWER_MALFORMED: 'BACKEND_ERROR',
  ANSWER_FORGED: 'BACKEND_ERROR',
  ANSWER_LOST: 'BACKEND_ERROR',
  NO_SUCH_CLIENT: 'BACKEND_ERROR',
  BAD_SIGNATURE: 'BACKEND_ERROR',
  OPERATION_NOT_ALLOWED: 'OPERATION_NOT_ALLOWED',
  MISSING_PARAMETER: 'BACKEND_ERROR',
  BACKEND_ERROR: 'BACKEND_ERROR',
  NOT_ENOUGH_ANSWERS: 'NOT_ENOUGH_ANSWERS',
  ABORTED: 'BACKEND_ERROR',
  CLOSED: 'BACKEND_ERROR',
  KSM_FAILED: 'BACKEND_ERROR',
  STORE_FAILED: 'BACKEND_ERROR',
  STORE_NOT_MIGRATED: 'BACKEND_ERROR',
  STORE_NOT_DURABLE: 'BACKEND_ERROR',
  MASTER_KEY_UNKNOWN: 'BACKEND_ERROR',
  SEAL_BROKEN: 'BACKEND_ERROR',
  KEY_UNUSABLE: 'BACKEND_ERROR',
  PRIVATE_ID_UNCHECKED: 'BACKEND_ERROR',
  COUNTERS_MISSING: 'BACKEND_ERROR',
  RATE_LIMITED: 'HTTP 429',
  VERIFIER_FAILED: 'BACKEND_ERROR',
  USER_ID_MISSING: 'BACKEND_ERROR',
  SECOND_FACTOR_NOT_VERIFIED: 'BACKEND_ERROR',
  SESSION_NOT_ROTATED: 'BACKEND_ERROR',
  NOT_SIGNED_IN: 'BACKEND_ERROR',
  SECOND_FACTOR_REQUIRED: 'BACKEND_ERROR',
};

describe('a verifier without a verdict', () => {
  it('is answered with a signed error status, whatever it throws', async () => {
    const service = await start();
    for (const [code, answer] of Object.entries(ANSWERS)) {
      service.verifier = rejectingVerifier(
        new YubikeyError(code as YubikeyErrorCode, 'the inside of the server'),
      );
      const reply = await service.get(signed(service.fields()));
      expect(reply.text, code).not.toContain('inside');
      if (answer === 'HTTP 429') {
        expect(reply, code).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
        expect(reply.text).not.toContain('status=');
      } else {
        expect(reply.status, code).toBe(200);
        expect(readStatus(reply), code).toBe(answer);
        expect(isSignedBy(reply, CLIENT.apiKey), code).toBe(true);
      }
      expect(service.events.at(-1), code).toMatchObject({
        status: answer === 'HTTP 429' ? 'HTTP_ERROR' : answer,
        httpStatus: answer === 'HTTP 429' ? 429 : 200,
        clientId: CLIENT.id,
        publicId: service.yubikey.publicId,
        error: { code },
      });
    }
  });

  it.each([
    ['an Error', new Error('status=OK'), 'BACKEND_ERROR'],
    ['a string', 'status=OK', 'BACKEND_ERROR'],
    ['undefined', undefined, 'BACKEND_ERROR'],
    ['an object that looks like a YubikeyError', { code: 'RATE_LIMITED' }, 'BACKEND_ERROR'],
  ])('is BACKEND_ERROR if it throws %s', async (_, error, status) => {
    const service = await start();
    for (const verifier of [rejectingVerifier(error), { verify: () => thrown(error) }]) {
      service.verifier = verifier;
      const reply = await service.get(service.fields());
      expect(readStatus(reply)).toBe(status);
      expect(isSignedBy(reply, CLIENT.apiKey)).toBe(true);
    }
  });

  it.each([undefined, null, true, {}, { ok: 'true' }, { ok: false }, { ok: false, reason: 'OK' }])(
    'is BACKEND_ERROR if it returns %j, which is not a verdict',
    async (verdict) => {
      const service = await start();
      service.verifier = { verify: async () => verdict as never };
      const reply = await service.get(service.fields());
      expect(readStatus(reply)).toBe('BACKEND_ERROR');
      expect(isSignedBy(reply, CLIENT.apiKey)).toBe(true);
    },
  );

  it('is BACKEND_ERROR if it returns counters that no OTP can have', async () => {
    const service = await start();
    const counters = { usageCounter: 0x8001, sessionUse: 1, timestamp: 1 };
    service.verifier = { verify: async ({ publicId }) => ({ ok: true, identity: { publicId, counters } }) };
    const reply = await service.get({ ...service.fields(), timestamp: '1' });
    expect(readStatus(reply)).toBe('BACKEND_ERROR');
    expect(isSignedBy(reply, CLIENT.apiKey)).toBe(true);
  });
});

describe('clients that cannot be read', () => {
  const broken = (error: unknown): Pick<ClientStore, 'get'> => ({ get: () => Promise.reject(error) });

  it.each([
    ['an Error', broken(new Error('the database is gone'))],
    ['a string', broken('gone')],
    ['an error thrown synchronously', { get: () => thrown(new Error('gone')) }],
    ['SEAL_BROKEN', broken(new YubikeyError('SEAL_BROKEN', 'edited'))],
  ])('are BACKEND_ERROR, signed with the empty key: %s', async (_, clients) => {
    const service = await start({ clients });
    const fields = service.fields();
    for (const request of [fields, signed(fields)]) {
      const reply = await service.get(request);
      expect(readStatus(reply)).toBe('BACKEND_ERROR');
      expect(isSignedBy(reply, '')).toBe(true);
    }
    expect(service.events.at(-1)).toMatchObject({ status: 'BACKEND_ERROR', clientId: CLIENT.id });
    expect(service.events.at(-1)?.error).toBeDefined();
  });

  it('do not hide faults of the request itself', async () => {
    const service = await start({ clients: broken(new Error('gone')) });
    const reply = await service.get(service.fields({ otp: 'hunter2' }));
    expect(readStatus(reply)).toBe('BAD_OTP');
    expect(isSignedBy(reply, '')).toBe(true);
    expect(readStatus(await service.get(service.fields({ nonce: '-' })))).toBe('MISSING_PARAMETER');
  });

  it('with an empty API key are BACKEND_ERROR, and no OTP is used up', async () => {
    const get = async () => ({
      ...((await service.store.clients.get(CLIENT.id)) as object),
      apiKey: Buffer.alloc(0),
    });
    const service = await start({ clients: { get: get as never } });
    const fields = service.fields();
    expect(readStatus(await service.get(signed(fields, { id: CLIENT.id, apiKey: '' })))).toBe(
      'BACKEND_ERROR',
    );
    expect(service.events.at(-1)?.error).toMatchObject({ code: 'KEY_UNUSABLE' });
    expect(await service.store.counters.get(service.yubikey.publicId)).toBeUndefined();
  });

  it('are looked up by well-formed ids only', async () => {
    const get = vi.fn(async () => undefined);
    const service = await start({ clients: { get } });
    for (const id of ['', ' ', 'x', "1' OR '1'='1", '1'.repeat(21), '１', '1\n'])
      await service.get(service.fields({ id }));
    expect(get).not.toHaveBeenCalled();
  });
});

describe('limitClient', () => {
  it('is called once for each correctly signed request, with the client id, and for no other', async () => {
    const limitClient = vi.fn(() => true);
    const service = await start({ limitClient });
    const fields = service.fields();
    const unasked = [
      fields,
      signed(fields, OTHER_CLIENT),
      signed({ ...fields, id: UNKNOWN_CLIENT.id }, UNKNOWN_CLIENT),
      signed({ ...fields, otp: 'hunter2' }),
      signed({ ...fields, nonce: '-' }),
      { ...signed(fields), timestamp: '1' },
    ];
    for (const request of unasked) await service.get(request);
    expect(limitClient).not.toHaveBeenCalled();
    await service.get(signed(service.fields()));
    await service.get(signed(service.fields({ id: OTHER_CLIENT.id }), OTHER_CLIENT));
    expect(limitClient.mock.calls).toEqual([[CLIENT.id], [OTHER_CLIENT.id]]);
  });

  it.each([false, Promise.resolve(false)])(
    'that returns %s is answered with HTTP 429, and no OTP is used up',
    async (answer) => {
      const service = await start({ limitClient: () => answer });
      const fields = service.fields();
      const reply = await service.get(signed(fields));
      expect(reply).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
      expect(service.events.at(-1)).toMatchObject({
        status: 'HTTP_ERROR',
        httpStatus: 429,
        clientId: CLIENT.id,
      });
      expect(readStatus(await service.get(fields))).toBe('OK');
    },
  );

  it('that fails lets no request through', async () => {
    for (const limitClient of [() => thrown(new Error('redis')), () => Promise.reject(new Error('redis'))]) {
      const service = await start({ limitClient });
      expect(readStatus(await service.get(signed(service.fields())))).toBe('BACKEND_ERROR');
      expect(await service.store.counters.get(service.yubikey.publicId)).toBeUndefined();
    }
  });
});

describe('a hook of the application that throws', () => {
  it.each([new Error('mine'), 'mine', undefined, { mine: true }])(
    '%j: HTTP 500, and the server goes on',
    async (error) => {
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
        // Like the original.
        if (!(warning instanceof Error || typeof warning === 'string')) throw new TypeError('no warning');
      });
      let broken = true;
      const service = await start({ addressOf: () => (broken ? thrown(error) : '127.0.0.1') });
      expect(await service.get(service.fields())).toMatchObject({ status: 500, text: 'The server failed\n' });
      expect(warned).toHaveBeenCalledOnce();
      warned.mockRestore();
      broken = false;
      expect(readStatus(await service.get(service.fields()))).toBe('OK');
    },
  );

  it('an answer that the application sent first is kept, and the server goes on', async () => {
    const service = await Service.start({
      mount: (listener) => (request, response, next) => {
        if (request.headers['x-late']) response.end('too late\n');
        listener(request, response, next);
      },
    });
    opened.push(service);
    const path = `/wsapi/2.0/verify?${new URLSearchParams(service.fields())}`;
    expect(await service.send(path, { headers: { 'X-Late': '1' } })).toMatchObject({ text: 'too late\n' });
    expect(readStatus(await service.get(service.fields()))).toBe('OK');
  });
});

function thrown(error: unknown): never {
  throw error;
}
