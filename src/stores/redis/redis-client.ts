import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { YubikeyError } from '../../errors.js';
import type { Call } from '../call.js';
import type { OpenCalls } from '../open-calls.js';
import { isRedisRefusal, isScriptError, isUnknownScript } from './redis-faults.js';
import { Unanswered } from './unanswered.js';

/**
 * Sends one command. `key` is the only key that it touches, by which clients of Redis Cluster route it; undefined
 * for a command about the server.
 */
export type SendCommand = (key: string | undefined, command: string[]) => Promise<unknown>;

export class RedisClient {
  migrated = false;
  readonly unanswered: Unanswered;
  readonly #calls: OpenCalls;

  constructor(
    readonly sendCommand: SendCommand,
    readonly prefix: string,
    calls: OpenCalls,
  ) {
    this.#calls = calls;
    this.unanswered = new Unanswered(calls.timeout);
  }

  /** Runs one call of the store, whose commands share a deadline. @throws YubikeyError `STORE_NOT_MIGRATED` */
  async call<T>(work: (commands: RedisCommands) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (!this.migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using RedisStore');
    return this.setUp(work, signal);
  }

  /** Runs a call as {@link call} does, but also before `migrate()` is done. */
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
  /** Writes that may have taken effect although no answer has confirmed it. */
  #uncertain = 0;
  readonly #open = new Set<Sent>();
  #hasEnded = false;
  readonly #redis: RedisClient;
  readonly #call: Pick<Call<unknown>, 'isWanted' | 'beginWrite' | 'refused'>;

  constructor(redis: RedisClient, call: Pick<Call<unknown>, 'isWanted' | 'beginWrite' | 'refused'>) {
    this.#redis = redis;
    this.#call = call;
  }

  get prefix(): string {
    return this.#redis.prefix;
  }

  /** Sends a command that reads, or whose write may safely be lost or repeated. */
  async send(key: string | undefined, command: string[]): Promise<unknown> {
    this.#assertWanted(key);
    return this.#deliver(key, command);
  }

  /** Sends a command that writes: if its answer is lost, the call rejects with `ANSWER_LOST`. */
  async write(key: string, command: string[]): Promise<unknown> {
    this.#assertWanted(key);
    this.#uncertain++;
    this.#call.beginWrite();
    try {
      return await this.#deliver(key, command);
    } catch (error) {
      if (isScriptError(error)) this.wroteNothing();
      else if (isRedisRefusal(error) && --this.#uncertain === 0) this.#call.refused();
      throw error;
    }
  }

  /** Runs a script on one key. Sends its text only if Redis does not know the script yet. */
  async runScript(script: RedisScript, key: string, args: readonly string[]): Promise<unknown> {
    try {
      return await this.write(key, ['EVALSHA', script.sha1, '1', key, ...args]);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.write(key, ['EVAL', script.text, '1', key, ...args]);
    }
  }

  /** Notes that Redis has looked at the row, and that none of this call's commands has written it. */
  wroteNothing(): void {
    this.#uncertain = 0;
    this.#call.refused();
  }

  /** Ends the call. From now on, only the client waits for commands without an answer. */
  end(): void {
    this.#hasEnded = true;
    for (const { key, at } of this.#open) this.#redis.unanswered.add(key, at);
  }

  #assertWanted(key: string | undefined): void {
    if (!this.#call.isWanted) throw new Error('The caller no longer waits for an answer');
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
