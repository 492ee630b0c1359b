import { defineConfig } from 'vitest/config';

/** A file for the results as JSON, where a program reads them. */
const { TEST_RESULTS } = process.env;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'cli/test/**/*.test.ts', 'example-app/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/long/**'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Many tests wait for servers and clocks, so more of them than there are cores can run at once.
    maxWorkers: 4,
    reporters: TEST_RESULTS ? ['default', ['json', { outputFile: TEST_RESULTS }]] : ['default'],
    coverage: {
      include: ['src/**'],
      reporter: ['text'],
      thresholds: { statements: 95, branches: 90, functions: 95, lines: 95 },
    },
  },
});
