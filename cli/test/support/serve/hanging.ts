import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from '../command.js';

const SHIM = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

static void hang_while(const char *name) {
  const char *file = getenv(name);
  while (file && access(file, F_OK) == 0) usleep(10000);
}

int fsync(int fd) {
  hang_while("HANG_SYNCS");
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
  hang_while("HANG_SYNCS");
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  hang_while("HANG_NAMES");
  return ((int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))
    dlsym(RTLD_NEXT, "getaddrinfo"))(node, service, hints, found);
}
`;

/** What hangs in a process that is started with its `env`, in system calls that nothing interrupts. */
export function hangingCalls() {
  const folder = temporaryFolder();
  const source = join(folder, 'hang.c');
  const library = join(folder, 'hang.so');
  writeFileSync(source, SHIM);
  execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
  const files = { HANG_SYNCS: join(folder, 'syncs'), HANG_NAMES: join(folder, 'names') };
  return {
    env: { LD_PRELOAD: library, ...files },
    hang: (what: keyof typeof files) => writeFileSync(files[what], ''),
    goOn: (what: keyof typeof files) => rmSync(files[what], { force: true }),
  };
}

/** Stops a process and its children, as a machine that swaps does; they go on with the test's end. */
export function freeze(pid: number): { thaw(): void } {
  const family = [pid, ...childrenOf(pid)];
  for (const each of family) send(each, 'SIGSTOP');
  const thaw = () => {
    for (const each of family.splice(0)) send(each, 'SIGCONT');
  };
  onTestFinished(thaw);
  return { thaw };
}

/** Children end when they like. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
