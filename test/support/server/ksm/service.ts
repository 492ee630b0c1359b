import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import request, { type Response } from 'supertest';
import { expect, onTestFinished } from 'vitest';
import { type KsmEvent, type KsmListenerOptions, ksmListener } from '../../../../src/server/index.js';
import { MemoryStore } from '../../../../src/stores/index.js';
import type { SoftYubikey } from '../../../../src/testing/index.js';
import type { Stores } from './stores.js';

export const TOKEN = 'correct-horse-battery-staple';

export interface Service extends Stores {
  url: string;
  events: KsmEvent[];
}

/** Starts a server on loopback, which is closed after the test; returns its URL. */
export async function serve(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts a KSM service with a management token. */
export async function ksmService(
  options: Partial<KsmListenerOptions> = {},
  stores: Stores = new MemoryStore(),
): Promise<Service> {
  const { keys = stores.keys, counters = stores.counters } = options;
  const events: KsmEvent[] = [];
  const onRequest = (event: KsmEvent) => events.push(event);
  const url = await serve(ksmListener({ managementToken: TOKEN, onRequest, ...options, keys, counters }));
  return { url, keys, counters, events };
}

export const asManager = (test: request.Test) => test.set('Authorization', `Bearer ${TOKEN}`);

export const addKey = ({ url }: { url: string }, body: string | object) =>
  asManager(request(url).post('/api/v1/keys')).set('Content-Type', 'application/json').send(body);

export const listKeys = ({ url }: { url: string }, query = '') =>
  asManager(request(url).get(`/api/v1/keys${query}`));

export const deleteKey = ({ url }: { url: string }, keyId: string) =>
  asManager(request(url).delete(`/api/v1/keys/${keyId}`));

export const decrypt = ({ url }: { url: string }, otp: unknown) =>
  request(url).post('/api/v1/decrypt').send({ otp });

/** `otp` is inserted into the query without encoding. */
export const wsapi = ({ url }: { url: string }, otp: string) =>
  request(url).get(`/wsapi/decrypt/?otp=${otp}`);

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** A key to add as in the reference, without a private ID. */
export const withoutPrivateId = ({ publicId, aesKey }: SoftYubikey) => ({
  key_id: publicId,
  aes_key: hex(aesKey),
});

export const withPrivateId = (yubikey: SoftYubikey) => ({
  ...withoutPrivateId(yubikey),
  private_id: hex(yubikey.privateId),
});

/** Expects an error of the REST API. */
export const refused = (status: number, error_code: string) => (response: Response) => {
  expect(response.body).toEqual({ status: 'ERROR', error_code, message: MESSAGES[error_code] });
  expect(response.status).toBe(status);
  expect(response.headers).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
  });
};

const MESSAGES: Record<string, string> = {
  INVALID_OTP: 'OTP format is invalid',
  KEY_NOT_FOUND: 'Key not found',
  REPLAY_DETECTED: 'OTP has already been used',
  DECRYPTION_FAILED: 'OTP decryption failed',
  PRIVATE_ID_UNKNOWN: 'The private ID of this key is not known yet: touch the key again',
  INVALID_JSON: 'Request body contains invalid JSON',
  MISSING_KEY_ID: 'Key ID field is required',
  MISSING_AES_KEY: 'AES key field is required',
  INVALID_KEY_ID_LENGTH: 'Key ID must be exactly 12 characters',
  INVALID_KEY_ID_FORMAT: 'Key ID contains invalid modhex characters',
  INVALID_AES_KEY_FORMAT: 'AES key format is invalid (not hex or base64)',
  INVALID_AES_KEY_LENGTH: 'AES key must be exactly 16 bytes',
  STORAGE_ERROR: 'The database failed',
  INVALID_PRIVATE_ID: 'Private ID must be 12 hexadecimal digits',
  INVALID_DESCRIPTION: 'Description must be text of up to 1000 characters without control characters',
  INVALID_PAGE: 'limit must be 1 to 1000, and after must be a key ID',
  KEY_EXISTS: 'A key with this key ID exists already',
  UNAUTHORIZED: 'Managing keys needs the management token: Authorization: Bearer TOKEN',
  FORBIDDEN: 'This address may not decrypt OTPs here',
  REQUEST_TIMEOUT: 'The body took too long',
  PAYLOAD_TOO_LARGE: 'The body is longer than 16384 bytes',
  TOO_MANY_REQUESTS: 'Too many requests: try again in a second',
  INTERNAL_SERVER_ERROR: 'The body was read before it reached this listener: mount the listener earlier',
};
