import assert from 'node:assert/strict';
import type { Verification } from '../verifiers/verifier.js';

export type Verdict = 'OK' | Extract<Verification, { ok: false }>['reason'];

/** A verdict in one word, as in the validation protocol. */
export function toVerdict(verification: Verification): Verdict {
  return verification.ok ? 'OK' : verification.reason;
}

/** Asserts how many verifications had which verdict. */
export function assertVerdicts(
  verifications: readonly Verification[],
  expected: Partial<Record<Verdict, number>>,
  message?: string,
): void {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const verdict of verifications.map(toVerdict)) counts[verdict] = (counts[verdict] ?? 0) + 1;
  assert.deepEqual(counts, expected, message);
}
