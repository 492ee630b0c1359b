import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Figures } from '../compare.js';

const SCRIPT = fileURLToPath(new URL('./walk.lua', import.meta.url));

export interface Load {
  readonly url: string;
  /** Path of a file written by `writeRequests`. */
  readonly requests: string;
  readonly connections: number;
  readonly seconds: number;
  /** Whether answers echo OTP and nonce. Each request is then sent only once. */
  readonly isEchoed: boolean;
  /** Whether the server ends answers by closing the connection, which wrk counts as an error. */
  readonly closes: boolean;
}

interface Walked {
  readonly ok: number;
  readonly wrong: number;
  readonly broken: number;
  readonly ranOut: boolean;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly firstWrong: string;
}

/** Puts a server under load with wrk and counts its answers. Throws if an answer is wrong. */
export async function load({
  url,
  requests,
  connections,
  seconds,
  isEchoed,
  closes,
}: Load): Promise<{ figures: Figures; answered: number }> {
  const { stderr } = await promisify(execFile)('wrk', [
    '--threads=1',
    `--connections=${connections}`,
    `--duration=${seconds}s`,
    `--script=${SCRIPT}`,
    url,
    '--',
    requests,
    isEchoed ? 'echoed' : 'constant',
  ]);
  const walked = JSON.parse(stderr) as Walked;
  const { ok, wrong, broken, ranOut, p50, p99 } = walked;
  if (wrong > 0 || broken > (closes ? ok : 0))
    throw new Error(`${url} gave ${wrong} wrong answers (such as ${walked.firstWrong}), ${broken} broke off`);
  if (isEchoed && ranOut) throw new Error(`${ok} requests were not enough: prepare more`);
  return { figures: { 'per second': ok / walked.seconds, 'p50, ms': p50, 'p99, ms': p99 }, answered: ok };
}
