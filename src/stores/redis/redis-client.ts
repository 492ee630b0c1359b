import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { YubikeyError } from '../../errors.js';
import type { Call, Calls } from '../calls.js';
import { isRedisRefusal, isScriptError, isUnknownScript } from './redis-faults.js';
import { Unanswered } from './unanswered.js';

/**
 * Sends one command. `key` is the one key it touches, for clients of Redis Cluster that route by it; undefined
 * for a command about the server.
 */
export type SendCommand = (key: string | undefined, command: string[]) => Promise<unknown>;

export class RedisClient {
  migrated = false;
  readonly unanswered: Unanswered;
  readonly #calls: Calls;

  constructor(
    readonly sendCommand: SendCommand,
    readonly prefix: string,
    calls: Calls,
  ) {
    this.#calls = calls;
    this.unanswered = new Unanswered(calls.timeout);
  }

  /** One call of the store: its commands share a deadline. @throws YubikeyError `STORE_NOT_MIGRATED` */
  async call<T>(work: (commands: RedisCommands) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (!this.migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using RedisStore');
    return this.setUp(work, signal);
  }

  /** The same before `migrate()` is done. */
  async setUp<T>(work: (commands: RedisCommands) => Promise<T>, signal?: AbortSignal): Promise<T> {
    let commands: RedisCommands | undefined;
    try {
      return await this.#calls.run<T>((call) => {
        commands = new RedisCommands(this, call);
        return work(commands);
      }, signal);
    } finally {
      commands?.end();
    }
  }
}

/** The commands of one call of the store. */
export class RedisCommands {
  /** Writes that may have been done although no answer says so. */
  #uncertain = 0;
  readonly #open = new Set<Sent>();
  #hasEnded = false;
  readonly #redis: RedisClient;
  readonly #call: Pick<Call<unknown>, 'isOver' | 'sent' | 'refused'>;

  constructor(redis: RedisClient, call: Pick<Call<unknown>, 'isOver' | 'sent' | 'refused'>) {
    this.#redis = redis;
    this.#call = call;
  }

  get prefix(): string {
    return this.#redis.prefix;
  }

  /** Sends a command that reads, or writes what decides nothing. */
  async send(key: string | undefined, command: string[]): Promise<unknown> {
    this.#assertWanted(key);
    return this.#deliver(key, command);
  }

  /** Sends a command that is to be ANSWER_LOST where its answer is. */
  async write(key: string, command: string[]): Promise<unknown> {
    this.#assertWanted(key);
    this.#uncertain++;
    this.#call.sent();
    try {
      return await this.#deliver(key, command);
    } catch (error) {
      if (isScriptError(error)) this.wroteNothing();
      else if (isRedisRefusal(error) && --this.#uncertain === 0) this.#call.refused();
      throw error;
    }
  }

  /** Runs a script over one key, which sends the text only where Redis has not seen it yet. */
  async runScript(script: RedisScript, key: string, args: readonly string[]): Promise<unknown> {
    try {
      return await this.write(key, ['EVALSHA', script.sha1, '1', key, ...args]);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.write(key, ['EVAL', script.text, '1', key, ...args]);
    }
  }

  /** The row was looked at, and none of this call's commands has written it. */
  wroteNothing(): void {
    this.#uncertain = 0;
    this.#call.refused();
  }

  /** Nobody waits any more: what has no answer is kept by the client alone. */
  end(): void {
    this.#hasEnded = true;
    for (const { key, at } of this.#open) this.#redis.unanswered.add(key, at);
  }

  #assertWanted(key: string | undefined): void {
    if (this.#call.isOver) throw new Error('Nobody waits for the answer any more');
    this.#redis.unanswered.assertRoom(key);
  }

  async #deliver(key: string | undefined, command: string[]): Promise<unknown> {
    const sent = { key, at: performance.now() };
    this.#open.add(sent);
    try {
      return await this.#redis.sendCommand(key, command);
    } finally {
      this.#open.delete(sent);
      this.#redis.unanswered.noteAnswer(key);
      if (this.#hasEnded) this.#redis.unanswered.remove();
    }
  }
}

interface Sent {
  readonly key: string | undefined;
  readonly at: number;
}

export interface RedisScript {
  readonly text: string;
  readonly sha1: string;
}

export function defineScript(text: string): RedisScript {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}
