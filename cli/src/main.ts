#!/usr/bin/env node
import { CommanderError } from 'commander';
import { createProgram } from './program.js';
import { end } from './terminal/ending.js';
import { EXIT, Refusal } from './terminal/failure.js';
import { say } from './terminal/output.js';

// What is made here, such as a database, is for its owner only.
process.umask(0o077);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read the results, such as `head`, went away before their end.
  if (error.code === 'EPIPE') process.exit(EXIT.refused);
  say(`Error: The results cannot be written to standard output: ${error.message}`);
  process.exit(EXIT.setup);
});
// Messages that nobody reads any more stop no work.
process.stderr.on('error', () => undefined);

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
await end();

function reportFailure(error: unknown): number {
  // Commander has said what is wrong.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.setup;
  say(`Error: ${(error as Error).message}`);
  return error instanceof Refusal ? EXIT.refused : EXIT.setup;
}
