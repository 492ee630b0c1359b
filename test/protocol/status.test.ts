import { describe, expect, it } from 'vitest';
import { isFaultStatus, isRejection, isStatus, STATUSES, type Status } from '../../src/protocol/status.js';

const statuses = Object.keys(STATUSES) as Status[];
const faults = statuses.filter(isFaultStatus);

describe('the table of statuses', () => {
  it('has the statuses of validation protocol 2.0', () => {
    expect(statuses.sort()).toEqual([
      'BACKEND_ERROR',
      'BAD_OTP',
      'BAD_SIGNATURE',
      'DELAYED_OTP',
      'MISSING_PARAMETER',
      'NOT_ENOUGH_ANSWERS',
      'NO_SUCH_CLIENT',
      'OK',
      'OPERATION_NOT_ALLOWED',
      'REPLAYED_OTP',
      'REPLAYED_REQUEST',
    ]);
  });

  it('divides them into OK, refusals and faults', () => {
    expect(statuses.filter(isRejection)).toEqual([
      'BAD_OTP',
      'DELAYED_OTP',
      'REPLAYED_OTP',
      'REPLAYED_REQUEST',
    ]);
    expect(faults).toHaveLength(statuses.length - 5);
  });

  it.each(faults)('reports %s as an error of the same name', (status) => {
    expect(STATUSES[status].code).toBe(status);
  });

  it('ranks no two faults the same', () => {
    expect(new Set(faults.map((status) => STATUSES[status].rank)).size).toBe(faults.length);
  });

  it('translates each status into one that protocol 1.x keeps', () => {
    for (const { inProtocol1 } of Object.values(STATUSES)) {
      expect(STATUSES[inProtocol1].inProtocol1).toBe(inProtocol1);
    }
  });

  it('knows no other text, whatever its type', () => {
    for (const text of [
      'ok',
      '',
      'constructor',
      '__proto__',
      undefined,
      null,
      ['OK'],
      { toString: () => 'OK' },
    ]) {
      expect([isStatus(text), isRejection(text), isFaultStatus(text)]).toEqual([false, false, false]);
    }
  });
});
