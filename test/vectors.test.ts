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
    '%s is byte for byte what shared/ has',
    (name) => {
      const copy = readFileSync(new URL(name, CHECKED_IN_VECTORS));
      expect(copy.equals(readFileSync(new URL(name, SHARED_VECTORS)))).toBe(true);
    },
  );

  it('are not fewer than they were, so that a test of all of them is one', () => {
    expect(genuineOtps.length).toBeGreaterThanOrEqual(104);
    expect(corruptOtps.length).toBeGreaterThanOrEqual(40);
    expect(signatures.map(({ what }) => what)).toEqual(['request', 'response']);
  });
});
