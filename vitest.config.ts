import { defineConfig } from 'vitest/config';

/** A file for the results as JSON, where a program reads them. */
const { TEST_RESULTS } = process.env;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'example-app/test/**/*.test.ts'],
    testTimeout: 30_000,
    reporters: TEST_RESULTS ? ['default', ['json', { outputFile: TEST_RESULTS }]] : ['default'],
    coverage: {
      include: ['src/**'],
      reporter: ['text'],
      thresholds: { statements: 95, branches: 90, functions: 95, lines: 95 },
    },
  },
});
