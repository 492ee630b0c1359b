import { defineConfig } from 'vitest/config';

/** A file for the results as JSON, where a program reads them. */
const { TEST_RESULTS } = process.env;

const FOLDERS = '{test,cli/test,example-app/test}';
/** End-to-end and long tests run what npm installs of the checkout, not what the checkout has built. */
const INSTALLED = 'test/support/package/global-setup.ts';
const NOT_UNIT = `${FOLDERS}/**/*.{integration,e2e,long}.test.ts`;

/** Loads the modules once instead of for each file, which saves half of the work. A test must restore what it changes. */
const TOGETHER = { isolate: false };

/** A suite is named by what its tests need. */
export default defineConfig({
  test: {
    // Many tests wait for servers and clocks, so more of them than there are cores can run at once.
    maxWorkers: 4,
    reporters: TEST_RESULTS ? ['default', ['json', { outputFile: TEST_RESULTS }]] : ['default'],
    coverage: {
      include: ['src/**', 'cli/src/**', 'example-app/src/**'],
      reporter: ['text'],
      // A few percent below what `npm run coverage` measures.
      thresholds: {
        'src/**': { statements: 95, branches: 90, functions: 95, lines: 95 },
        // Most of the command runs only as npm has installed it, in end-to-end tests, which are not measured.
        'cli/src/**': { statements: 24, branches: 36, functions: 24, lines: 23 },
        'cli/src/serve/settings/**': { statements: 74, branches: 72, functions: 86, lines: 76 },
        'cli/src/transfer/**': { statements: 75, branches: 82, functions: 70, lines: 73 },
        'example-app/src/**': { statements: 88, branches: 84, functions: 92, lines: 90 },
      },
    },
    projects: [
      {
        test: {
          ...TOGETHER,
          name: 'unit',
          include: [`${FOLDERS}/**/*.test.ts`],
          exclude: [NOT_UNIT],
          setupFiles: 'test/support/no-processes-no-ports.ts',
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...TOGETHER,
          name: 'integration',
          include: [`${FOLDERS}/**/*.integration.test.ts`],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 20_000 } },
        },
      },
      {
        test: {
          name: 'e2e',
          include: [`${FOLDERS}/**/*.e2e.test.ts`],
          globalSetup: INSTALLED,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // LONG=short repeats less often.
        test: {
          name: 'long',
          include: [`${FOLDERS}/**/*.long.test.ts`],
          globalSetup: INSTALLED,
          testTimeout: 1_800_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
