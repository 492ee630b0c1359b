import type { KnipConfig } from 'knip';

/** Reads the imports of a page's code: a recipe uses packages, too. The files beside it are the reader's own. */
function readPageImports(page: string): string {
  const packages = page.matchAll(/^(?:import|export) (?:.* from )?('[^.'][^']*');$/gm);
  return Array.from(packages, ([, name]) => `import ${name};`).join('\n');
}

export default {
  // An ignore or entry that is not needed any more has to go.
  treatConfigHintsAsErrors: true,
  workspaces: {
    '.': {
      entry: [
        // Entry points that package.json does not name in a way knip follows: dist/stores.mjs is src/stores/index.ts.
        'src/{protocol,stores,server,testing}/index.ts',
        // `npm run bench` loads benches by their names, and starts the modules in bench/service/ as processes.
        'bench/*.bench.ts',
        'bench/service/{bare,constant}.ts',
        // Run by hand.
        'bench/flame.ts',
        'scripts/*.mjs',
        // Programs that tests start as processes, by their paths.
        'test/**/fixtures/**/*.{ts,mts,cts,js,mjs,cjs}',
        // Compiled, and never run.
        'test/types/refused.ts',
        // Pages whose code imports packages; tests run it.
        '{*,docs/*}.md',
      ],
      project: ['{src,test,bench,scripts}/**/*.{ts,mts,cts,js,mjs,cjs}', '*.{ts,cjs,mjs,md}', 'docs/*.md'],
      ignoreDependencies: [
        // An alias of an older Express, which a test loads with require().
        'express4',
        // Tests of the packed library run their commands by path.
        '@arethetypeswrong/cli',
        'esbuild',
      ],
      // Programs of the machine, which tests and benches start. CONTRIBUTING.md says which test needs which.
      ignoreBinaries: [
        'cc',
        'gcc',
        'openssl',
        'redis-server',
        'strace',
        'wrk',
        'xkbcli',
        'yubiserver',
        'yubiserver-admin',
      ],
    },
    cli: {
      entry: ['README.md'],
      project: ['{src,test}/**/*.ts', '*.{ts,md}'],
      // Programs of the machine, as above.
      ignoreBinaries: ['gcc', 'mount', 'prlimit', 'redis-cli', 'script', 'umount'],
    },
    // The code of the recipes is in their pages.
    'docs/recipes': { entry: ['*.md'], project: ['*.md'] },
    'example-app': {
      // The pages load the scripts in public/ by URL.
      entry: ['README.md', 'public/*.js'],
      project: ['{src,test,public}/**/*.{ts,js}', '*.md'],
    },
  },
  compilers: { md: readPageImports },
} satisfies KnipConfig;
