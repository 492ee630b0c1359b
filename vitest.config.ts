import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** A file for the results as JSON, where a program reads them. */
const { TEST_RESULTS } = process.env;

/** What starts processes: the installed command, its services, browsers, real clients: `npm run test:e2e`. */
export const END_TO_END = [
  'cli/test/*.test.ts',
  'cli/test/{keys,serve}/**/*.test.ts',
  'example-app/test/{browser*,compose,flows-shared,start,two-instances}.test.ts',
  'test/package/**/*.test.ts',
  'test/recipes/**/*.test.ts',
  'test/server/clients/**/*.test.ts',
  'test/{ksm/remote,verifiers/cloud}/lifecycle.test.ts',
];

/** What these tests start is not what the checkout has built, but what npm installs of it. */
export const INSTALLED = 'test/package/global-setup.ts';

export const settings = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // Many tests wait for servers and clocks, so more of them than there are cores can run at once.
  maxWorkers: 4,
  reporters: TEST_RESULTS ? ['default', ['json', { outputFile: TEST_RESULTS }]] : ['default'],
} satisfies ViteUserConfig['test'];

export default defineConfig({
  test: {
    ...settings,
    include: ['test/**/*.test.ts', 'cli/test/**/*.test.ts', 'example-app/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/long/**', ...END_TO_END],
    coverage: {
      include: ['src/**'],
      reporter: ['text'],
      thresholds: { statements: 95, branches: 90, functions: 95, lines: 95 },
    },
  },
});
