import { timingSafeEqual } from 'node:crypto';
import { useUpSeenOtps } from '../../ksm/pin.js';
import { isPublicId } from '../../otp/otp.js';
import { decryptToken, type Token } from '../../otp/token.js';
import { formatRestTime } from '../../protocol/ksm-rest-response.js';
import type { CounterStore, KeyRecord, KeyStore, NewKey } from '../../stores/store.js';
import { readJson } from '../body.js';
import { jsonAnswer } from '../http.js';
import { KsmFault } from './ksm-fault.js';
import type { Operation } from './operations.js';
import { readKeyId, readNewKey, readObject, readOtp } from './wire.js';

export interface KsmStores {
  readonly keys: KeyStore;
  readonly counters: CounterStore;
}

const MAX_PAGE = 1000;

/** `POST /api/v1/keys`. An optional `otp` proves that the AES key is right and provides the private ID. */
export function addKey({ keys, counters }: KsmStores): Operation['run'] {
  return async (request, _target, reportPublicId) => {
    const body = readObject(await readJson(request));
    const key = readNewKey(body);
    reportPublicId(key.publicId);
    const token = body.otp === undefined ? undefined : decryptFirstOtp(key, body.otp);
    // An OTP made with another AES key must not raise the counters of an existing key.
    if (await keys.get(key.publicId)) throw new KsmFault('KEY_EXISTS');
    const privateId = key.privateId ?? token?.privateId;
    if (privateId) await useUpSeenOtps(counters, { ...key, privateId });
    // The OTP is used up before the key is added, so it can never be used again.
    if (token && !(await counters.advance(key.publicId, token.counters)).advanced) {
      throw new KsmFault('REPLAY_DETECTED');
    }
    const added = await keys.add({ ...key, privateId });
    if (!added) throw new KsmFault('KEY_EXISTS');
    return jsonAnswer(201, { status: 'success', key_id: key.publicId });
  };
}

/** @throws KsmFault for an OTP that the key did not generate. */
function decryptFirstOtp(key: NewKey, text: unknown): Token {
  const otp = readOtp(text);
  if (otp.publicId !== key.publicId) throw new KsmFault('INVALID_OTP');
  const token = decryptToken(otp.token, key.aesKey);
  if (!token || (key.privateId && !timingSafeEqual(token.privateId, key.privateId))) {
    throw new KsmFault('DECRYPTION_FAILED');
  }
  return token;
}

/** `DELETE /api/v1/keys/:key_id`. The counters are kept, so that used OTPs stay refused. */
export function deleteKey({ keys }: KsmStores): Operation['run'] {
  return async (_request, { path }, reportPublicId) => {
    const keyId = readKeyId(path.slice(path.lastIndexOf('/') + 1));
    reportPublicId(keyId);
    if (!(await keys.delete(keyId))) throw new KsmFault('KEY_NOT_FOUND');
    return jsonAnswer(200, { status: 'success', key_id: keyId });
  };
}

/** `GET /api/v1/keys`: all keys, or with `limit` or `after` one page, with `next` to continue after. */
export function listKeys(stores: KsmStores): Operation['run'] {
  return async (_request, { query }) => {
    const parameters = new URLSearchParams(query);
    const limit = readLimit(parameters.get('limit'));
    const after = parameters.get('after') ?? undefined;
    if (after !== undefined && !isPublicId(after)) throw new KsmFault('INVALID_PAGE');
    const first = await listPage(stores, after, limit ?? MAX_PAGE);
    if (limit === undefined && after === undefined)
      return { ...jsonAnswer(200, undefined), body: streamAllKeys(stores, first) };
    return jsonAnswer(200, { status: 'success', keys: first.keys, next: first.next });
  };
}

interface ListedPage {
  readonly keys: readonly object[];
  readonly next: string | undefined;
}

async function* streamAllKeys(stores: KsmStores, first: ListedPage): AsyncGenerator<string> {
  yield '{"status":"success","keys":[';
  let separator = '';
  for (let page = first; ; page = await listPage(stores, page.next, MAX_PAGE)) {
    for (const key of page.keys) {
      yield separator + JSON.stringify(key);
      separator = ',';
    }
    if (page.next === undefined) break;
  }
  yield ']}';
}

async function listPage(stores: KsmStores, after: string | undefined, limit: number): Promise<ListedPage> {
  const { records, next } = await stores.keys.list({ after, limit });
  return { keys: await Promise.all(records.map((key) => describeKey(stores, key))), next };
}

async function describeKey({ counters }: KsmStores, key: KeyRecord): Promise<object> {
  const used = await counters.get(key.publicId);
  return {
    key_id: key.publicId,
    description: key.notes,
    created_at: formatRestTime(key.createdAt),
    last_used: used ? formatRestTime(used.acceptedAt) : null,
    usage_count: used?.acceptedCount ?? 0,
    active: key.active,
    private_id_known: key.privateId !== undefined,
  };
}

function readLimit(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^[0-9]{1,4}$/.test(text) || Number(text) < 1 || Number(text) > MAX_PAGE)
    throw new KsmFault('INVALID_PAGE');
  return Number(text);
}
