import { defineConfig } from 'tsdown';

export default defineConfig([
  {
    entry: {
      index: 'src/index.ts',
      protocol: 'src/protocol/index.ts',
      stores: 'src/stores/index.ts',
      server: 'src/server/index.ts',
      testing: 'src/testing/index.ts',
    },
    format: ['esm', 'cjs'],
    platform: 'node',
    target: 'node20.19',
    dts: true,
    fixedExtension: true,
    outputOptions: {
      // Jest's CommonJS knows no import().
      dynamicImportInCjs: false,
      // What the bundler adds would else stand in index.cjs, which all others then load.
      codeSplitting: { groups: [{ name: 'runtime', test: /rolldown\/runtime/ }] },
    },
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
