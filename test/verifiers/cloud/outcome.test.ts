import { describe, expect, it } from 'vitest';
import { YubikeyError } from '../../../src/index.js';
import { isFaultStatus, STATUSES, type Status } from '../../../src/protocol/status.js';
import type { CloudVerdict } from '../../../src/verifiers/cloud/cloud-answer.js';
import type { CloudFault } from '../../../src/verifiers/cloud/cloud-fault.js';
import {
  conclude,
  noVerdict,
  type ServerReport,
  takeFault,
  takeTimeout,
  takeVerdict,
  toServerFault,
} from '../../../src/verifiers/cloud/outcome.js';

const report = (some: Partial<ServerReport> = {}): ServerReport => ({
  server: 'https://one.test',
  attempts: 1,
  running: 0,
  fault: undefined,
  replay: undefined,
  maybeAccepted: false,
  ...some,
});

const fault = (code: CloudFault['code'], some: Partial<CloudFault> = {}): CloudFault => ({
  code,
  message: `about ${code}`,
  authenticated: false,
  retry: false,
  maybeAccepted: false,
  ...some,
});

const OK: CloudVerdict = { status: 'OK' };
const BAD_OTP: CloudVerdict = { status: 'BAD_OTP' };
const REPLAYED_OTP: CloudVerdict = { status: 'REPLAYED_OTP' };
const REPLAYED_REQUEST: CloudVerdict = { status: 'REPLAYED_REQUEST' };

function concludeWithError(...reports: ServerReport[]): YubikeyError {
  const outcome = conclude(undefined, reports);
  expect(outcome).toBeInstanceOf(YubikeyError);
  return outcome as YubikeyError;
}

describe('a verdict', () => {
  const circumstances: [string, Partial<ServerReport>][] = [
    ['of the only request', {}],
    ['while another request of ours is pending there', { running: 1 }],
    ['after an answer of that server was lost', { maybeAccepted: true }],
  ];

  it.each(circumstances)('decides immediately if it is OK %s', (_, some) => {
    const one = report(some);
    expect(takeVerdict(one, OK)).toBe('immediately');
    expect(one).toEqual(report(some));
  });

  it.each(circumstances)('decides after settling if it is BAD_OTP or DELAYED_OTP %s', (_, some) => {
    for (const status of ['BAD_OTP', 'DELAYED_OTP'] as const) {
      const one = report(some);
      expect(takeVerdict(one, { status })).toBe('after-settling');
      expect(one).toEqual(report(some));
    }
  });

  it.each(circumstances)('decides last if it is REPLAYED_REQUEST %s', (_, some) => {
    const one = report(some);
    expect(takeVerdict(one, REPLAYED_REQUEST)).toBe('last');
    expect(one).toEqual(report({ ...some, replay: REPLAYED_REQUEST }));
  });

  it('decides immediately if it is REPLAYED_OTP of the only request', () => {
    const one = report();
    expect(takeVerdict(one, REPLAYED_OTP)).toBe('immediately');
    expect(one).toEqual(report());
  });

  it.each(circumstances.slice(1))('decides last if it is REPLAYED_OTP %s', (_, some) => {
    const one = report(some);
    expect(takeVerdict(one, REPLAYED_OTP)).toBe('last');
    expect(one).toEqual(report({ ...some, replay: REPLAYED_OTP }));
  });
});

describe('a fault', () => {
  it('is kept, and whether the server may have accepted the OTP', () => {
    const one = report();
    takeFault(one, fault('TLS_FAILED'));
    expect(one).toEqual(report({ fault: fault('TLS_FAILED') }));
    takeFault(one, fault('TIMED_OUT', { maybeAccepted: true }));
    expect(one).toEqual(report({ fault: fault('TLS_FAILED'), maybeAccepted: true }));
    takeFault(one, fault('UNREACHABLE'));
    expect(one.maybeAccepted).toBe(true);
  });

  it('gives way to one that tells more, and only to such a one', () => {
    const one = report();
    for (const next of [
      fault('UNREACHABLE'),
      fault('BAD_SIGNATURE'),
      fault('BACKEND_ERROR', { authenticated: true }),
    ]) {
      takeFault(one, next);
      expect(one.fault).toBe(next);
    }
    takeFault(one, fault('NOT_ENOUGH_ANSWERS'));
    takeFault(one, fault('BACKEND_ERROR', { authenticated: true, message: 'again' }));
    expect(one.fault).toEqual(fault('BACKEND_ERROR', { authenticated: true }));
  });
});

describe('the end of the time', () => {
  it('is a fault of a server with a pending request, which may have accepted the OTP', () => {
    const one = report({ running: 1 });
    takeTimeout(one, 700);
    expect(one.maybeAccepted).toBe(true);
    expect(one.fault).toMatchObject({
      code: 'TIMED_OUT',
      message: 'no answer in 700 ms',
      authenticated: false,
    });
  });

  it('does not hide an earlier fault', () => {
    const one = report({ running: 2, fault: fault('UNREACHABLE') });
    takeTimeout(one, 700);
    expect(one).toEqual(report({ running: 2, fault: fault('UNREACHABLE'), maybeAccepted: true }));
  });

  it('changes nothing at a server without pending requests', () => {
    const one = report();
    takeTimeout(one, 700);
    expect(one).toEqual(report());
  });
});

describe('the outcome of all answers', () => {
  it('is a refusal, whatever else was said', () => {
    const others = [
      report({ replay: REPLAYED_OTP, maybeAccepted: true }),
      report({ fault: fault('NOT_ENOUGH_ANSWERS', { authenticated: true }) }),
    ];
    expect(conclude(BAD_OTP, others)).toBe(BAD_OTP);
  });

  it('is the first replay if no answer was lost anywhere', () => {
    const replays = [report({ replay: REPLAYED_REQUEST }), report({ replay: REPLAYED_OTP })];
    expect(conclude(undefined, [report({ fault: fault('TLS_FAILED') }), ...replays])).toBe(REPLAYED_REQUEST);
  });

  it('is ANSWER_LOST if a replay may be due to a request of ours whose answer was lost', () => {
    const error = concludeWithError(
      report({ replay: REPLAYED_REQUEST }),
      report({
        server: 'https://two.test',
        attempts: 3,
        fault: fault('UNREACHABLE'),
        maybeAccepted: true,
      }),
      report({ server: 'https://three.test', attempts: 0 }),
    );
    expect(error.code).toBe('ANSWER_LOST');
    expect(error.message).toBe(
      'A server accepted the OTP, but its answer was lost and the OTP is used up: touch the key again',
    );
    expect(error.servers).toEqual([
      {
        server: 'https://one.test',
        code: 'ANSWER_LOST',
        message: 'it has seen the OTP before, perhaps in this very request',
        authenticated: true,
      },
      {
        server: 'https://two.test',
        code: 'UNREACHABLE',
        message: 'about UNREACHABLE (3 attempts)',
        authenticated: false,
      },
    ]);
  });

  it('is NOT_ENOUGH_ANSWERS if a server has used up the OTP, even if others report a replay', () => {
    const error = concludeWithError(
      report({ replay: REPLAYED_REQUEST, maybeAccepted: true }),
      report({ fault: fault('NOT_ENOUGH_ANSWERS', { authenticated: true }), maybeAccepted: true }),
    );
    expect(error.code).toBe('NOT_ENOUGH_ANSWERS');
    expect(error.servers.map(({ code }) => code)).toEqual(['ANSWER_LOST', 'NOT_ENOUGH_ANSWERS']);
  });

  it('is a replay if NOT_ENOUGH_ANSWERS is not authentic, or another fault is authentic', () => {
    for (const other of [
      fault('NOT_ENOUGH_ANSWERS'),
      fault('BACKEND_ERROR', { authenticated: true }),
      fault('ANSWER_LOST', { authenticated: true }),
    ]) {
      expect(conclude(undefined, [report({ fault: other }), report({ replay: REPLAYED_OTP })])).toBe(
        REPLAYED_OTP,
      );
    }
  });

  it('names each server that was asked, and the code of the most telling fault', () => {
    const error = concludeWithError(
      report({ fault: fault('UNREACHABLE'), attempts: 2 }),
      report({ server: 'https://two.test', fault: fault('TLS_FAILED') }),
      report({ server: 'https://three.test', attempts: 0 }),
    );
    expect(error).toMatchObject({
      code: 'TLS_FAILED',
      message:
        'No validation server gave a verdict: https://one.test: about UNREACHABLE (2 attempts); https://two.test: about TLS_FAILED',
    });
    expect(error.servers).toHaveLength(2);
  });
});

describe('the fault that names the error', () => {
  const BY_RANK: CloudFault['code'][] = [
    'NOT_ENOUGH_ANSWERS',
    'ANSWER_LOST',
    'BAD_SIGNATURE',
    'NO_SUCH_CLIENT',
    'OPERATION_NOT_ALLOWED',
    'MISSING_PARAMETER',
    'ANSWER_FORGED',
    'TLS_FAILED',
    'REFUSED_BY_FRONT',
    'REDIRECTED',
    'ANSWER_MALFORMED',
    'BACKEND_ERROR',
    'SERVER_FAILED',
    'TIMED_OUT',
    'UNREACHABLE',
  ];
  const nameError = (...faults: CloudFault[]) =>
    noVerdict(faults.map((one, at) => toServerFault(`https://${at}.test`, one))).code;

  it('has a rank for every status that is a fault', () => {
    const statuses = (Object.keys(STATUSES) as Status[]).filter(isFaultStatus);
    expect(statuses.filter((status) => !BY_RANK.includes(status))).toEqual([]);
  });

  it.each([true, false])(
    'is the first of this order, in whichever order they came (authentic: %s)',
    (authenticated) => {
      for (const [at, code] of BY_RANK.entries()) {
        for (const later of BY_RANK.slice(at + 1)) {
          const [first, second] = [fault(code, { authenticated }), fault(later, { authenticated })];
          expect(nameError(first, second)).toBe(code);
          expect(nameError(second, first)).toBe(code);
        }
      }
    },
  );

  it('is authentic if any is', () => {
    for (const code of BY_RANK) {
      for (const other of BY_RANK) {
        expect(nameError(fault(other), fault(code, { authenticated: true }))).toBe(code);
        expect(nameError(fault(code, { authenticated: true }), fault(other))).toBe(code);
      }
    }
  });
});
