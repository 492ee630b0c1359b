import { spawn } from 'node:child_process';

export interface Outcome {
  exitCode: number | null;
  /** What it printed, on either stream. */
  output: string;
}

/** Runs a program to its end while this process goes on serving it. */
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
    // One that does not ask ends before it has read this.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
