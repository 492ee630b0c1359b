#!/usr/bin/env node
// The public surface of the library, a file an entry point: api/index.api.md, api/stores.api.md and so on.
// Read from the declarations in dist/, so build first.
//
//   node scripts/api-report.mjs            exit 1 if a report is not what would be written, and print the difference
//   node scripts/api-report.mjs --write    write the reports
import { fileURLToPath } from 'node:url';
import { CompilerState, Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('..', import.meta.url));
const ENTRIES = ['index', 'protocol', 'stores', 'server', 'testing'];
/** What is said here in fewer words. */
const CHATTER = /^console-(preamble|api-report-(created|copied|not-copied|missing))$/;
const QUIET = { logLevel: ExtractorLogLevel.None, addToApiReportFile: false };

// The types of Node.js are looked for from here.
process.chdir(root);
const localBuild = process.argv.includes('--write');
const configs = ENTRIES.map((entry) =>
  ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: `<projectFolder>/dist/${entry}.d.mts`,
      compiler: { tsconfigFilePath: '<projectFolder>/tsconfig.json' },
      newlineKind: 'lf',
      apiReport: {
        enabled: true,
        // Types that no entry point exports, but that public ones are made of.
        includeForgottenExports: true,
        tagsToReport: { '@experimental': true },
        reportFileName: `${entry}.api.md`,
        reportFolder: '<projectFolder>/api',
        reportTempFolder: '<projectFolder>/node_modules/.cache/api',
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        extractorMessageReporting: { default: QUIET },
        tsdocMessageReporting: { default: QUIET },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: `${root}package.json`,
  }),
);
const compilerState = CompilerState.create(configs[0], {
  additionalEntryPoints: configs.map((config) => config.mainEntryPointFilePath),
});
const results = configs.map((config) =>
  Extractor.invoke(config, {
    localBuild,
    compilerState,
    printApiReportDiff: true,
    messageCallback: (message) => {
      message.handled ||= CHATTER.test(message.messageId);
    },
  }),
);
if (!results.every(({ succeeded }) => succeeded)) {
  console.error(
    'The public surface is not as in api/. If it should be: npm run api, and commit what it writes.',
  );
  process.exitCode = 1;
}
