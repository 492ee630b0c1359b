import { YubikeyError } from '../../errors.js';
import type { Decryption, Ksm } from '../../ksm/ksm.js';
import type { Otp } from '../../otp/otp.js';
import { formatKsmResponse } from '../../protocol/ksm-response.js';
import { formatKsmRestResponse } from '../../protocol/ksm-rest-response.js';
import { readJson } from '../body.js';
import { KsmFault, type KsmFaultCode } from './ksm-fault.js';
import type { Operation } from './operations.js';
import { readObject, readOtp } from './wire.js';

/** `POST /api/v1/decrypt`. */
export function decryptByRest(ksm: Ksm, allowUnpinnedKeys: boolean): Operation['run'] {
  return async (request, _target, reportPublicId) => {
    const otp = readOtp(readObject(await readJson(request)).otp);
    reportPublicId(otp.publicId);
    const { counters, privateIdChecked } = await decryptOrRefuse(ksm, otp, allowUnpinnedKeys);
    const { publicId } = otp;
    // The caps-lock bit stays out, because clients of this API may compare the counter as it is.
    const response = { ok: true, publicId, counters, capsLock: false, privateIdChecked } as const;
    const { httpStatus, text } = formatKsmRestResponse(response, new Date());
    return { status: httpStatus, type: 'application/json', body: text };
  };
}

/** `GET /wsapi/decrypt/?otp=`. Its clients rely on the private ID having been compared. */
export function decryptByWsapi(ksm: Ksm, allowUnpinnedKeys: boolean): Operation['run'] {
  return async (_request, { query }, reportPublicId) => {
    const given = new URLSearchParams(query).getAll('otp');
    if (given.join('') === '') throw new KsmFault('MISSING_OTP');
    const otp = readOtp(given.length === 1 ? given[0] : undefined);
    reportPublicId(otp.publicId);
    const { counters, capsLock } = await decryptOrRefuse(ksm, otp, allowUnpinnedKeys);
    return { status: 200, body: formatKsmResponse({ ok: true, counters, capsLock }) };
  };
}

const FAULT_CODES = {
  UNKNOWN_KEY: 'KEY_NOT_FOUND',
  CORRUPT_OTP: 'DECRYPTION_FAILED',
  REPLAYED_OTP: 'REPLAY_DETECTED',
} as const satisfies Record<string, KsmFaultCode>;

async function decryptOrRefuse(
  ksm: Ksm,
  otp: Otp,
  allowUnpinnedKeys: boolean,
): Promise<Extract<Decryption, { ok: true }>> {
  const decryption = await ksm.decrypt(otp).catch((error: unknown) => {
    const isUnchecked = error instanceof YubikeyError && error.code === 'PRIVATE_ID_UNCHECKED';
    throw isUnchecked ? new KsmFault('PRIVATE_ID_UNKNOWN') : error;
  });
  if (!decryption.ok) throw new KsmFault(FAULT_CODES[decryption.reason]);
  if (!decryption.privateIdChecked && !allowUnpinnedKeys) throw new KsmFault('PRIVATE_ID_UNKNOWN');
  return decryption;
}
