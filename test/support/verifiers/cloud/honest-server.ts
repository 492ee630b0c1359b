import type { Verifier } from '../../../../src/index.js';
import {
  formatValidationResponse,
  isSignedWith,
  parseApiKey,
  parseRequestParameters,
  readValidationRequest,
} from '../../../../src/protocol/index.js';
import { API_KEY, type Behaviour } from './fake-server.js';

/** A validation server over any verifier, made of the functions of `passport-yubikey-otp/protocol`. */
export const validating =
  (verifier: Verifier): Behaviour =>
  async (_query, res, req) => {
    const apiKey = parseApiKey(API_KEY);
    const parameters = parseRequestParameters((req.url as string).split('?')[1] ?? '');
    const { otp, nonce } = readValidationRequest(parameters, '2.0');
    if (!isSignedWith(parameters, apiKey)) {
      res.end(formatValidationResponse({ status: 'BAD_SIGNATURE' }, new Date(), apiKey));
      return;
    }
    const verification = await verifier.verify(otp, { nonce });
    const status = verification.ok ? 'OK' : verification.reason;
    res.end(formatValidationResponse({ status, otp: otp.value, nonce, sl: 100 }, new Date(), apiKey));
  };
