#!/usr/bin/env node
import { CommanderError } from 'commander';
import { EXIT, Refusal } from './failure.js';
import { say } from './output.js';
import { createProgram } from './program.js';

// What is made here, such as a database, is for its owner only.
process.umask(0o077);

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    // Whoever read it, such as `head`, has seen enough.
    process.exit(code === 'EPIPE' ? EXIT.done : EXIT.setup);
  });
}

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  // Commander has said what is wrong.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.setup;
  say(`Error: ${(error as Error).message}`);
  return error instanceof Refusal ? EXIT.refused : EXIT.setup;
}
