import { AsyncResource } from 'node:async_hooks';
import { type AnswerMessage, isObserved, publish } from '../diagnostics.js';
import type { YubikeyError } from '../errors.js';

/** Publishes what became of a request. Called once, when that is known. */
export type PublishAnswer = (status: AnswerMessage['status']) => void;

/**
 * Starts the time of a request to a server. The answer is published in the async context of the request, since the one
 * that reads it from a shared connection may belong to another verification.
 */
export function timeAnswer(service: AnswerMessage['service'], server: string): PublishAnswer {
  if (!isObserved('answer')) return ignoreAnswer;
  const askedAt = performance.now();
  return AsyncResource.bind((status: AnswerMessage['status']) => {
    const milliseconds = performance.now() - askedAt;
    publish('answer', () => ({ service, server, status, milliseconds }));
  });
}

/** Publishes the answer that `ask` resolves with, or the code of the error with which its requests were cancelled. */
export async function timeAsking<Answer>(
  service: AnswerMessage['service'],
  server: string,
  readStatus: (answer: Answer) => AnswerMessage['status'],
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const publishAnswer = timeAnswer(service, server);
  try {
    const answer = await ask();
    publishAnswer(readStatus(answer));
    return answer;
  } catch (error) {
    publishAnswer((error as YubikeyError).code);
    throw error;
  }
}

function ignoreAnswer(): void {}
