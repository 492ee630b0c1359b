import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const START_MS = 60_000;

/** A server in its own process. */
export interface Started {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a program and waits until it listens on the port. */
export async function start(
  command: string,
  args: readonly string[],
  port: number,
  {
    stdout = 'ignore',
    ...env
  }: { stdout?: number | 'ignore' | undefined; [name: string]: string | number | undefined } = {},
): Promise<Started> {
  const child = spawn(command, args, {
    env: { ...process.env, ...(env as Record<string, string>) },
    stdio: ['ignore', stdout, 'pipe'],
  });
  const url = `http://127.0.0.1:${port}`;
  let said = '';
  child.stderr?.on('data', (text) => {
    said = `${said}${text}`.slice(-2000);
  });
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const until = performance.now() + START_MS;
  while (!(await isListening(url))) {
    if (failure) throw failure;
    if (child.exitCode || child.signalCode) throw new Error(`${command} ended: ${said}`);
    if (performance.now() > until) {
      await stop(child);
      throw new Error(`${command} does not listen on port ${port}: ${said}`);
    }
    await sleep(10);
  }
  return { url, pid: child.pid as number, stop: () => stop(child) };
}

/** Starts a TypeScript module of this folder, which listens on the given port. */
export function startModule(name: string, port: number, env: Record<string, string> = {}): Promise<Started> {
  const file = fileURLToPath(new URL(name, import.meta.url));
  return start(process.execPath, ['--import', 'tsx', file, String(port)], port, env);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** Sends a request, because yubiserver crashes on a connection without one. */
async function isListening(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.text().then(() => true),
    () => false,
  );
}
