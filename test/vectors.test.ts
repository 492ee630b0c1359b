import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  CHECKED_IN_VECTORS,
  corruptOtps,
  genuineOtps,
  hasSharedVectors,
  SHARED_VECTORS,
  signatures,
} from './support/vectors.js';

describe('test/vectors', () => {
  it.skipIf(!hasSharedVectors).each(['otp.json', 'signature.json'])(
    '%s has the same bytes as in shared/',
    (name) => {
      const copy = readFileSync(new URL(name, CHECKED_IN_VECTORS));
      expect(copy.equals(readFileSync(new URL(name, SHARED_VECTORS)))).toBe(true);
    },
  );

  it('are not fewer than before, so that tests over all vectors test something', () => {
    expect(genuineOtps.length).toBeGreaterThanOrEqual(104);
    expect(corruptOtps.length).toBeGreaterThanOrEqual(40);
    expect(signatures.map(({ what }) => what)).toEqual(['request', 'response']);
  });
});
