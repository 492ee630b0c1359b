#!/usr/bin/env node
import { CommanderError } from 'commander';
import { createProgram } from './program.js';
import { end } from './terminal/ending.js';
import { EXIT, Refusal } from './terminal/failure.js';
import { say } from './terminal/output.js';

// Files that the command makes, such as a database, are for their owner only.
process.umask(0o077);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of the results, such as `head`, has closed the pipe.
  if (error.code === 'EPIPE') process.exit(EXIT.refused);
  say(`Error: The results cannot be written to standard output: ${error.message}`);
  process.exit(EXIT.setup);
});
// The work goes on if nobody reads the messages any more.
process.stderr.on('error', () => undefined);

try {
  const program = await createProgram(process.argv);
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
await end();

/** Prints the error, and returns the exit code for it. */
function reportFailure(error: unknown): number {
  // Commander has printed the error already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.setup;
  say(`Error: ${(error as Error).message}`);
  return error instanceof Refusal ? EXIT.refused : EXIT.setup;
}
