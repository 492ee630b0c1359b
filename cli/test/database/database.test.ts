import { YubikeyError } from 'passport-yubikey-otp';
import { describe, expect, it } from 'vitest';
import { explainFailure } from '../../src/database/database.js';

const URL = 'postgres://me:hunter2@localhost/otp';

function failWith(message: string, cause: Error): YubikeyError {
  return new YubikeyError('STORE_FAILED', message, { cause });
}

describe('the explanation of a failed database', () => {
  it('has the reasons of every address of a host, whose error has no message of its own', () => {
    const cause = new AggregateError([
      new Error('connect ECONNREFUSED ::1'),
      new Error('connect ECONNREFUSED 127.0.0.1'),
    ]);
    expect(explainFailure(failWith('The database failed', cause), URL)).toBe(
      'The database failed: connect ECONNREFUSED ::1; connect ECONNREFUSED 127.0.0.1',
    );
  });

  it('has a cause that the error repeats only once', () => {
    const error = failWith('The file is damaged (disk I/O error)', new Error('disk I/O error'));
    expect(explainFailure(error, URL)).toBe('The file is damaged (disk I/O error)');
  });

  it('has causes of causes, and no password', () => {
    const error = failWith('The database failed', failWith('no answer', new Error('hunter2 was refused')));
    expect(explainFailure(error, URL)).toBe('The database failed: no answer: *** was refused');
  });
});
