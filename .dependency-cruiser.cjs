// Which file may import which: arrows point down only, types included. What may not be used in otp/ and protocol/
// (clocks, randomness, sockets) is in test/purity.test.ts.

/** From the bottom to the top. Rooms of one row stand side by side: none imports another. */
const LIBRARY = [
  ['^src/options[.]ts$'],
  ['^src/errors[.]ts$'],
  ['^src/otp/'],
  ['^src/protocol/'],
  ['^src/diagnostics[.]ts$'],
  ['^src/http/'],
  ['^src/stores/'],
  ['^src/ksm/'],
  ['^src/verifiers/'],
  ['^src/passport/', '^src/server/', '^src/testing/'],
  ['^src/index[.]ts$'],
];
const COMMAND = [
  ['^cli/src/terminal/'],
  ['^cli/src/files/'],
  ['^cli/src/database/'],
  ['^cli/src/transfer/'],
  ['^cli/src/serve/settings/'],
  ['^cli/src/serve/(?!settings/)'],
  ['^cli/src/commands/'],
  ['^cli/src/program[.]ts$'],
  ['^cli/src/main[.]ts$'],
];

/** A rule for each room: what it imports of its own package is in it or below it. */
function arrowsPointDown(root, rows) {
  return rows.flatMap((row, height) =>
    row.map((room) => ({
      name: `arrow-up-from ${room.replace(/[(].*|[^a-z/]/g, '')}`,
      severity: 'error',
      from: { path: room },
      to: { path: root, pathNot: [room, ...rows.slice(0, height).flat()] },
    })),
  );
}

/** A new folder has no rule until it is given its place above. */
function everyFileHasItsRoom(root, rows) {
  return {
    name: 'file-without-a-room',
    severity: 'error',
    from: { path: root, pathNot: rows.flat() },
    to: {},
  };
}

module.exports = {
  forbidden: [
    { name: 'circle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-found', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...arrowsPointDown('^src/', LIBRARY),
    everyFileHasItsRoom('^src/', LIBRARY),
    ...arrowsPointDown('^cli/src/', COMMAND),
    everyFileHasItsRoom('^cli/src/', COMMAND),
    {
      name: 'entry-point-imported-from-inside',
      comment: 'They are for those outside.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '/index[.]ts$' },
    },
    {
      name: 'package-in-a-bottom-file',
      comment: 'options.ts and errors.ts are for every runtime.',
      severity: 'error',
      from: { path: '^src/(options|errors)[.]ts$' },
      to: { pathNot: '^src/' },
    },
    {
      name: 'diagnostics-imports-more-than-channels',
      comment: 'It publishes what it is given: types, and nothing that runs.',
      severity: 'error',
      from: { path: '^src/diagnostics[.]ts$' },
      to: { pathNot: '^diagnostics_channel$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'library-imports-from-outside-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { pathNot: ['^src/', '(^|/)node_modules/'], dependencyTypesNot: ['core'] },
    },
    {
      name: 'not-by-a-public-entry-point',
      comment: 'passport-yubikey-otp, or its /protocol, /stores, /server or /testing.',
      severity: 'error',
      from: { path: '^(cli|example-app)/src/' },
      to: { path: '^(src|dist)/', pathNot: '^dist/(index|protocol|stores|server|testing)[.][dm]' },
    },
    {
      name: 'package-of-the-workspace-imported-by-path',
      severity: 'error',
      from: { path: '^(cli|example-app)/src/' },
      to: {
        path: '^(cli|example-app|test|bench|scripts)/',
        pathNot: ['^$1/src/', '(^|/)node_modules/'],
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['(^|/)node_modules/', '^dist/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    parser: 'tsc',
  },
};
