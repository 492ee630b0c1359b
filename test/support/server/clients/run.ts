import { spawn } from 'node:child_process';

export interface Outcome {
  exitCode: number | null;
  /** The output of both streams. */
  output: string;
}

/** Runs a program to its end; this process can serve it meanwhile. */
export function run(
  program: string,
  args: readonly string[],
  { input = '', env = {} }: { input?: string | undefined; env?: Record<string, string> | undefined } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', reject).on('close', (exitCode) => resolve({ exitCode, output }));
    // The program may end without reading its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
