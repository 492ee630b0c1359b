import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { SetupError } from './failure.js';

export interface Prompt {
  /** Asks without showing the answer. The answer is empty if only Enter was pressed, or the input has ended. */
  ask(question: string): Promise<string>;
  close(): void;
}

/** Asks at the terminal. Without a terminal, each answer is a line of standard input. */
export function openPrompt(): Prompt {
  const isTerminal = process.stdin.isTTY === true;
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: isTerminal });
  const lines = reader[Symbol.asyncIterator]();
  let interrupted = false;
  reader.on('SIGINT', () => {
    interrupted = true;
    reader.close();
  });
  return {
    async ask(question) {
      if (isTerminal) process.stderr.write(question);
      const { value } = await lines.next();
      if (isTerminal) process.stderr.write('\n');
      if (interrupted) throw new SetupError('Interrupted; nothing was changed');
      return (value ?? '').trim();
    },
    close: () => reader.close(),
  };
}

/** Asks one question. */
export async function askOnce(question: string): Promise<string> {
  const prompt = openPrompt();
  try {
    return await prompt.ask(question);
  } finally {
    prompt.close();
  }
}
