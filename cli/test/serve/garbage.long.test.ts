import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect, it } from 'vitest';
import { encodeModhex, formatValidationRequest, parseOtp } from '../../../src/protocol/index.js';
import { repetitions } from '../../../test/support/long/repetitions.js';
import { HttpClient } from '../support/long/serve/http-client.js';
import type { Instance } from '../support/long/serve/instance.js';
import { Site } from '../support/long/serve/site.js';
import { newNonce, Tally, ValidationClient } from '../support/long/serve/validation-client.js';

const GARBAGE = repetitions(100_000, 3_000);
const ATTACKERS = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];
const CONNECTIONS_EACH = 4;
const OWNER = '127.0.1.1';
/** The owner of the key signs in so often. */
const PAUSE_MS = 200;

/** What somebody can send who knows the public ID and the client id, and a used OTP, but neither key. */
class Attack {
  readonly answers = new Tally();
  private sent = 0;
  private readonly wrongApiKey = randomBytes(20);
  private readonly imposter: SoftYubikey;

  constructor(
    private readonly site: Site,
    private readonly service: Instance,
    private readonly victim: SoftYubikey,
    private readonly usedOtp: string,
  ) {
    this.imposter = new SoftYubikey({ publicId: victim.publicId });
  }

  async run(): Promise<void> {
    const attackers = ATTACKERS.map((from) => new HttpClient({ sockets: CONNECTIONS_EACH, from }));
    const sending = attackers.flatMap((http) => Array.from({ length: CONNECTIONS_EACH }, () => http));
    await Promise.all(
      sending.map(async (http) => {
        while (this.sent < GARBAGE) this.answers.add(await this.send(http, this.sent++));
      }),
    );
    for (const http of attackers) http.close();
  }

  private async send(http: HttpClient, kind: number): Promise<string> {
    const { url } = this.service;
    const { publicId } = this.victim;
    const corrupt = publicId + encodeModhex(randomBytes(16));
    const { clientId: id } = this.site;
    const ask = async (query: string) => {
      const { status, body } = await http.send(`${url}/wsapi/2.0/verify?${query}`);
      return status === 200 ? (/^status=(\w+)/m.exec(body)?.[1] ?? 'no status') : `HTTP ${status}`;
    };
    const validate = (otp: string, key?: Uint8Array) =>
      ask(formatValidationRequest({ id, otp: parseOtp(otp), nonce: newNonce() }, key));
    switch (kind % 8) {
      case 0:
        return validate(corrupt);
      case 1:
        return validate(corrupt, this.wrongApiKey);
      case 2:
        return validate(this.imposter.press());
      case 3:
        return validate(this.imposter.press(), this.wrongApiKey);
      case 4:
        return ask(`id=${id}&nonce=${newNonce()}&otp=${publicId}no%20OTP&h=%00`);
      case 5:
        return validate(this.usedOtp);
      case 6: {
        const { status, body } = await http.send(`${url}/wsapi/decrypt/?otp=${corrupt}`);
        return status === 200 ? body.trim() : `HTTP ${status}`;
      }
      default: {
        const headers = { 'content-type': 'application/json' };
        const body = JSON.stringify({ otp: corrupt });
        const answer = await http.send(`${url}/api/v1/decrypt`, { method: 'POST', headers }, body);
        return answer.status === 422 ? 'DECRYPTION_FAILED' : `HTTP ${answer.status}`;
      }
    }
  }
}

/** The owner signs in from elsewhere while a service is attacked; resolves when the attack is over. */
async function attackWhileOwnerSignsIn(args: readonly string[]) {
  const site = await Site.open('keys.db', { keys: 1 });
  const service = await site.start(args);
  const [yubikey] = site.yubikeys as [SoftYubikey];
  const owner = new ValidationClient(site, { sockets: 1, from: OWNER });
  const used = site.press(yubikey);
  expect(await owner.verify(service, used)).toBe('OK');
  const attack = new Attack(site, service, yubikey, used);
  const startedAt = performance.now();
  let isOver = false;
  const over = attack.run().finally(() => {
    isOver = true;
  });
  const verdicts = new Tally();
  const took: number[] = [];
  while (!isOver) {
    const askedAt = performance.now();
    verdicts.add(await owner.verify(service, site.press(yubikey)));
    took.push(performance.now() - askedAt);
    await sleep(PAUSE_MS);
  }
  await over;
  const seconds = (performance.now() - startedAt) / 1000;
  took.sort((one, other) => one - other);
  const at = (part: number) => `${(took[Math.floor(part * (took.length - 1))] as number).toFixed(0)} ms`;
  console.log(
    `${GARBAGE} garbage requests in ${seconds.toFixed(0)} s: ${attack.answers}; the owner meanwhile: ${verdicts}, ` +
      `median ${at(0.5)}, 99 % ${at(0.99)}, worst ${at(1)}`,
  );
  owner.close();
  site.tell(await service.metrics());
  expect((await service.stop()).code).toBe(0);
  await site.expectNoLeaks();
  return { answers: attack.answers, verdicts, minutes: seconds / 60 };
}

it(`${GARBAGE} garbage requests that name a key and a client lock neither out`, async () => {
  // Limits that the attack would reach within seconds, if what it sends counted for the client or the key.
  const limits = ['--address-limit', '0', '--client-limit', '1000', '--replay-limit', '30'];
  const { answers, verdicts } = await attackWhileOwnerSignsIn(limits);
  expect(answers.all).toBe(GARBAGE);
  expect(Object.keys(answers.counts).sort()).toEqual([
    'BAD_OTP',
    'BAD_SIGNATURE',
    'DECRYPTION_FAILED',
    'ERR Corrupt OTP',
    'HTTP 429',
    'MISSING_PARAMETER',
    'REPLAYED_OTP',
  ]);
  // Only replays are limited.
  expect(answers.of('HTTP 429') + answers.of('REPLAYED_OTP')).toBe(Math.ceil((GARBAGE - 5) / 8));
  expect(verdicts.of('OK')).toBeGreaterThan(2);
  expect(verdicts.counts).toEqual({ OK: verdicts.all });
});

it(`${GARBAGE} garbage requests from addresses that are cut off stop no other address`, async () => {
  // More than the owner needs.
  const limit = 400;
  const { answers, verdicts, minutes } = await attackWhileOwnerSignsIn(['--address-limit', `${limit}`]);
  const letIn = answers.all - answers.of('HTTP 429');
  expect(letIn).toBeLessThanOrEqual(limit * ATTACKERS.length * Math.ceil(minutes + 1));
  expect(answers.of('HTTP 429')).toBeGreaterThan(0);
  expect(answers.of('OK')).toBe(0);
  expect(verdicts.counts).toEqual({ OK: verdicts.all });
});
