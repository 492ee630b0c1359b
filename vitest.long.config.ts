import { defineConfig } from 'vitest/config';
import { INSTALLED } from './vitest.config.js';

/** A file for the results as JSON, where a program reads them. */
const { TEST_RESULTS } = process.env;

/** What takes too long for every run. LONG=short repeats less often. */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts', 'cli/test/long/**/*.test.ts'],
    globalSetup: INSTALLED,
    fileParallelism: false,
    testTimeout: 1_800_000,
    hookTimeout: 120_000,
    reporters: TEST_RESULTS ? ['default', ['json', { outputFile: TEST_RESULTS }]] : ['default'],
  },
});
