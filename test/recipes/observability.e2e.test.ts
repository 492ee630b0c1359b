import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { SoftYubikey } from '../../src/testing/index.js';
import { OBSERVABILITY, readFiles, writeRecipe } from '../support/recipes/recipe.js';
import {
  API_KEY,
  answer,
  CLIENT_ID,
  closeFakeServers,
  httpStatus,
  inTurn,
  startFakeServer,
} from '../support/verifiers/cloud/fake-server.js';

/** What the console exporter prints of a span. */
interface PrintedSpan {
  name: string;
  id: string;
  traceId: string;
  parentSpanContext?: { spanId: string };
  attributes: Record<string, string>;
  status: { code: number; message?: string };
  events: { name: string; attributes: Record<string, unknown> }[];
}

const ERROR = 2;

const yubikey = new SoftYubikey();

/** Runs a program beside the files that the page prints, and resolves with the lines that it writes. */
async function run(code: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const folder = writeRecipe(OBSERVABILITY);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'program.js'), code);
  const options = { cwd: folder, env: { PATH: process.env.PATH, ...env } };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['program.js'], options);
  expect(stderr).toBe('');
  return stdout.split('\n').filter(Boolean);
}

/** Verifies with a `CloudVerifier`, and has a verifier whose KSM makes a span of its own. */
const VERIFIERS = `
import { CloudVerifier, KsmVerifier, MemoryStore, parseOtp } from 'passport-yubikey-otp';
const { OTP, SERVER, CLIENT_ID, API_KEY } = process.env;
const otp = parseOtp(OTP);
const cloud = new CloudVerifier({ clientId: CLIENT_ID, apiKey: API_KEY, servers: [SERVER] });
const verifyAt = (ksm) => new KsmVerifier({ ksm, counters: new MemoryStore().counters }).verify(otp);
`;

async function startServer(): Promise<NodeJS.ProcessEnv> {
  const { url } = await startFakeServer(inTurn(httpStatus(500), answer('OK'), answer('REPLAYED_OTP')));
  return { OTP: yubikey.press(), SERVER: url, CLIENT_ID, API_KEY };
}

afterEach(closeFakeServers);

describe('the code of docs/observability.md', () => {
  it('for OpenTelemetry makes each verification a span, with the right parent and children', async () => {
    const env = await startServer();
    const lines = await run(
      `console.dir = (span) => console.log(JSON.stringify(span));
      await import('./start.js');
      const { trace } = await import('@opentelemetry/api');
      const tracer = trace.getTracer('app');
      ${VERIFIERS.replace(/import (.*) from (.*);/, 'const $1 = await import($2);')}
      const decrypt = (then) => tracer.startActiveSpan('decrypt', async (span) => {
        await new Promise(setImmediate);
        span.end();
        return then();
      });
      await tracer.startActiveSpan('request', async (request) => {
        await cloud.verify(otp);
        await Promise.all([
          verifyAt({ decrypt: () => decrypt(() => ({ ok: false, reason: 'CORRUPT_OTP' })) }),
          verifyAt({ decrypt: () => decrypt(() => { throw new Error('no KSM') }) }).catch(() => undefined),
        ]);
        tracer.startSpan('after').end();
        request.end();
      });
      await cloud.close();`,
      env,
    );
    const spans = lines.map((line) => JSON.parse(line) as PrintedSpan);
    const parent = ({ parentSpanContext }: PrintedSpan) =>
      spans.find(({ id }) => id === parentSpanContext?.spanId);
    const named = (name: string) => spans.filter((span) => span.name === name);
    const [request] = named('request') as [PrintedSpan];
    const verifications = named('verify OTP');
    expect(verifications).toHaveLength(3);
    expect(spans.map(({ traceId }) => traceId)).toEqual(spans.map(() => request.traceId));
    for (const span of [...verifications, ...named('after')]) expect(parent(span)).toBe(request);

    const ofCloud = verifications.find(
      ({ attributes }) => attributes['yubikey.verifier'] === 'CloudVerifier',
    );
    expect(ofCloud?.attributes).toEqual({
      'yubikey.verifier': 'CloudVerifier',
      'yubikey.public_id': yubikey.publicId,
      'yubikey.verdict': 'OK',
    });
    expect(ofCloud?.events.map(({ name, attributes }) => [name, attributes.status])).toEqual([
      ['answer', 'SERVER_FAILED'],
      ['answer', 'OK'],
    ]);
    const decrypted = named('decrypt').map(parent);
    expect(decrypted).toHaveLength(2);
    const [refused, failed] = ['BAD_OTP', undefined].map((verdict) =>
      decrypted.find((span) => span?.attributes['yubikey.verdict'] === verdict),
    );
    expect(refused).toMatchObject({ status: { code: 0 }, events: [] });
    expect(failed).toMatchObject({
      status: { code: ERROR, message: 'The KSM failed' },
      events: [{ name: 'exception' }],
    });
  });

  it('for Prometheus counts the verdicts, and times the answers', async () => {
    const lines = await run(
      `import './metrics.js';
      import { register } from 'prom-client';
      ${VERIFIERS}
      for (let times = 0; times < 2; times++) await cloud.verify(otp);
      await verifyAt({ decrypt: () => { throw new Error('no KSM') } }).catch(() => undefined);
      await cloud.verify(OTP).catch(() => undefined);
      await cloud.close();
      console.log(await register.metrics());`,
      await startServer(),
    );
    const server = expect.stringMatching(/^yubikey_answer_seconds_count\{server="http:\/\/127.0.0.1:\d+\/.*/);
    expect(lines.filter((line) => /^yubikey_(otps_total|answer_seconds_count)/.test(line)).sort()).toEqual([
      server,
      server,
      server,
      'yubikey_otps_total{verdict="KSM_FAILED"} 1',
      'yubikey_otps_total{verdict="OK"} 1',
      'yubikey_otps_total{verdict="REPLAYED_OTP"} 1',
      'yubikey_otps_total{verdict="TypeError"} 1',
    ]);
  });

  it('is complete: each block of JavaScript is a file, or the example of an own verifier', () => {
    expect([...readFiles(OBSERVABILITY).keys()]).toEqual(['telemetry.js', 'start.js', 'metrics.js']);
  });
});
