import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'example-app/test/**/*.test.ts'],
    testTimeout: 20_000,
    coverage: { include: ['src/**'], exclude: ['src/otp/keyboard.ts'], reporter: ['text-summary', 'json-summary'] },
  },
});
