import fc from 'fast-check';
import type { KeyRecord } from 'passport-yubikey-otp/stores';
import { bytes, publicId } from '../../../../test/support/arbitraries.js';

/** Notes as administrators write them, and as they should not. */
export const notes = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom('a', '#', ',', '\n', '\r', '"', ';', '[', 'é', ' ', '\x1b', '\t') }),
  fc.constantFrom(
    'serial 4711',
    'serial 4711, of Alice',
    '[disabled]',
    '[active] [disabled]',
    'serial 1, [active]',
    'serial 0',
    '# ykksm 1',
  ),
);

const second = fc
  .date({ min: new Date('2008-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));

export const keyRecord: fc.Arbitrary<KeyRecord> = fc.record({
  publicId,
  aesKey: bytes(16),
  privateId: fc.option(bytes(6), { nil: undefined }),
  notes,
  active: fc.boolean(),
  createdAt: second,
  revision: fc.constant('r'),
});

/** Any line: close to a valid one, and far from it. */
export const anyLine = fc.oneof(
  fc.string(),
  fc.string({
    unit: fc.constantFrom(',', '\t', '#', 'c', '0', 'f', '-', ':', 'T', ' ', '='),
    maxLength: 200,
  }),
  fc
    .array(
      fc.constantFrom(
        '',
        '0',
        '1',
        '4711',
        'cccccccccccb',
        '2009-01-22T00:25:11',
        'ecde18dbe76fbd0c33330f1c354871db',
      ),
      {
        minLength: 5,
        maxLength: 20,
      },
    )
    .map((columns) => columns.join(',')),
);
