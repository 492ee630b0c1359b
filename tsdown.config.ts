import { defineConfig } from 'tsdown';

export default defineConfig([
  {
    entry: {
      index: 'src/index.ts',
      stores: 'src/stores/index.ts',
      server: 'src/server/index.ts',
      testing: 'src/testing/index.ts',
    },
    format: ['esm', 'cjs'],
    platform: 'node',
    target: 'node20.19',
    dts: true,
    fixedExtension: true,
    // Jest's CommonJS knows no import().
    outputOptions: { dynamicImportInCjs: false },
  },
  {
    entry: { 'sqlite-worker': 'src/stores/sqlite/worker.ts' },
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    dts: false,
    fixedExtension: true,
    clean: false,
  },
]);
