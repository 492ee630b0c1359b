import { parseOtp, type Verifier } from '../../../../src/index.js';
import { isSignedWith, parseApiKey } from '../../../../src/protocol/signature.js';
import { parseParameters, readValidationRequest } from '../../../../src/protocol/validation-request.js';
import { formatValidationResponse } from '../../../../src/protocol/validation-response.js';
import { API_KEY, type Behaviour } from './fake-server.js';

/** A validation server over any verifier, made of the server functions in `src/protocol`. */
export const validating =
  (verifier: Verifier): Behaviour =>
  async (_query, res, req) => {
    const apiKey = parseApiKey(API_KEY);
    const parameters = parseParameters((req.url as string).split('?')[1] ?? '');
    const { otp, nonce } = readValidationRequest(parameters, '2.0') as { otp: string; nonce: string };
    if (!isSignedWith(parameters, apiKey)) {
      res.end(formatValidationResponse({ status: 'BAD_SIGNATURE' }, new Date(), apiKey));
      return;
    }
    const verification = await verifier.verify(parseOtp(otp), { nonce });
    const status = verification.ok ? 'OK' : verification.reason;
    res.end(formatValidationResponse({ status, otp, nonce, sl: 100 }, new Date(), apiKey));
  };
