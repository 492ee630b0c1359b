import { ChildProcess } from 'node:child_process';
import { Server, Socket } from 'node:net';

/** Unit tests need no process and no port: tests that start or open one are named `*.integration.test.ts`. */
function refuse(what: string): () => never {
  return () => {
    throw new Error(`A unit test must not ${what}: name its file *.integration.test.ts`);
  };
}

// The types of Node hide this method.
Object.assign(ChildProcess.prototype, { spawn: refuse('start a process') });
Server.prototype.listen = refuse('listen on a port');
Socket.prototype.connect = refuse('connect to a port');
