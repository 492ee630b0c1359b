import { describe, expect, it } from 'vitest';
import { YubikeyError } from '../../../src/index.js';
import type { CloudAnswer } from '../../../src/verifiers/cloud/cloud-answer.js';
import type { CloudFault } from '../../../src/verifiers/cloud/cloud-fault.js';
import { askInTurn } from '../../../src/verifiers/cloud/in-turn.js';
import { catchError } from '../../support/verifiers/cloud/harness.js';

const fault = (code: CloudFault['code'], maybeAccepted: boolean): CloudAnswer => ({
  fault: { code, message: `about ${code}`, authenticated: false, retry: true, maybeAccepted },
});

/** Asks as many servers as there are answers. */
function ask(...answers: CloudAnswer[]) {
  const asked: string[] = [];
  const servers = answers.map((_, at) => `https://${at}.test`);
  const verdict = askInTurn(servers, async (server) => {
    asked.push(server);
    return answers[servers.indexOf(server)] as CloudAnswer;
  });
  return { asked, verdict };
}

describe('servers that are asked in turn', () => {
  it.each(['OK', 'BAD_OTP', 'REPLAYED_OTP', 'REPLAYED_REQUEST'] as const)(
    'are not asked any more after %s',
    async (status) => {
      const { asked, verdict } = ask({ verdict: { status } }, { verdict: { status: 'OK' } });
      expect(await verdict).toEqual({ status });
      expect(asked).toEqual(['https://0.test']);
    },
  );

  it('are asked until one gives a verdict, as long as none can have accepted the OTP', async () => {
    const { asked, verdict } = ask(
      fault('UNREACHABLE', false),
      fault('REFUSED_BY_FRONT', false),
      { verdict: { status: 'OK' } },
      { verdict: { status: 'REPLAYED_OTP' } },
    );
    expect(await verdict).toEqual({ status: 'OK' });
    expect(asked).toEqual(['https://0.test', 'https://1.test', 'https://2.test']);
  });

  it('are not asked any more after one that may have accepted the OTP', async () => {
    const { asked, verdict } = ask(fault('TLS_FAILED', false), fault('TIMED_OUT', true), {
      verdict: { status: 'REPLAYED_OTP' },
    });
    const error = await catchError(verdict);
    expect(error.code).toBe('TLS_FAILED');
    expect(error.servers).toEqual([
      { server: 'https://0.test', code: 'TLS_FAILED', message: 'about TLS_FAILED', authenticated: false },
      { server: 'https://1.test', code: 'TIMED_OUT', message: 'about TIMED_OUT', authenticated: false },
    ]);
    expect(asked).toHaveLength(2);
  });

  it('are all named in the error if none gives a verdict', async () => {
    const error = await catchError(ask(fault('UNREACHABLE', false), fault('TLS_FAILED', false)).verdict);
    expect(error.servers.map(({ code }) => code)).toEqual(['UNREACHABLE', 'TLS_FAILED']);
  });

  it('pass on the error that ends the verification', async () => {
    const closed = new YubikeyError('CLOSED', 'closed');
    await expect(askInTurn(['https://0.test'], () => Promise.reject(closed))).rejects.toBe(closed);
  });
});
