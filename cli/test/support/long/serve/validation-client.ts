import { randomBytes } from 'node:crypto';
import {
  formatValidationRequest,
  isSignedWith,
  parseOtp,
  parseResponseParameters,
  VALIDATION_PATHS,
  type ValidationRequest,
} from '../../../../../src/protocol/index.js';
import { HttpClient, type HttpClientOptions } from './http-client.js';
import type { Site } from './site.js';

export const newNonce = () => randomBytes(16).toString('hex');

/** A client of a validation server that believes only an answer to its own question. */
export class ValidationClient {
  private readonly http: HttpClient;

  constructor(
    private readonly site: Site,
    options: HttpClientOptions,
  ) {
    this.http = new HttpClient(options);
  }

  /**
   * @returns the status, or `HTTP` and the HTTP status where that is not 200.
   * @throws Unanswered, and an Error for an answer that is forged, or another request's.
   */
  async verify({ url }: { url: string }, otp: string, nonce = newNonce()): Promise<string> {
    const request: ValidationRequest = { id: this.site.clientId, otp: parseOtp(otp), nonce, timestamp: true };
    const query = formatValidationRequest(request, this.site.apiKey);
    const { status, body } = await this.http.send(`${url}${VALIDATION_PATHS['2.0']}?${query}`);
    if (status !== 200) return `HTTP ${status}`;
    const answer = parseResponseParameters(body);
    if (!isSignedWith(answer, this.site.apiKey)) throw new Error(`The answer is not signed:\n${body}`);
    const verdict = answer.get('status') ?? '';
    const isEcho = answer.get('otp') === otp && answer.get('nonce') === nonce;
    if (/^(OK|REPLAYED_)/.test(verdict) && !isEcho) throw new Error(`The answer is another's:\n${body}`);
    return verdict;
  }

  close(): void {
    this.http.close();
  }
}

/** Counts what is said. */
export class Tally {
  readonly counts: Record<string, number> = {};

  add(what: string): void {
    this.counts[what] = this.of(what) + 1;
  }

  of(what: string): number {
    return this.counts[what] ?? 0;
  }

  get all(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  toString(): string {
    const counts = Object.entries(this.counts).sort(([one], [other]) => (one < other ? -1 : 1));
    return counts.map(([what, count]) => `${count} ${what}`).join(', ') || 'none';
  }
}
