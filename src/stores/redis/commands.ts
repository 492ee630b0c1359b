import { createHash } from 'node:crypto';
import { YubikeyError } from '../../errors.js';

/**
 * Sends one command. `key` is the one key it touches, for clients of Redis Cluster that route by it; undefined
 * for a command about the server.
 */
export type SendCommand = (key: string | undefined, command: string[]) => Promise<unknown>;

/** Commands, scripts and names. */
export class Redis {
  migrated = false;

  constructor(
    readonly send: SendCommand,
    readonly prefix: string,
  ) {}

  ask(...command: string[]): Promise<unknown> {
    return this.send(undefined, command);
  }

  /** @throws YubikeyError `STORE_NOT_MIGRATED` */
  async command(name: string, key: string, ...args: string[]): Promise<unknown> {
    this.assertMigrated();
    return this.send(key, [name, key, ...args]);
  }

  /** Runs a script over one key, which sends the text only where Redis has not seen it yet. */
  async script(script: Script, key: string, args: readonly string[]): Promise<unknown> {
    this.assertMigrated();
    try {
      return await this.send(key, ['EVALSHA', script.sha1, '1', key, ...args]);
    } catch (error) {
      if (!String((error as Error).message).includes('NOSCRIPT')) throw error;
      return this.send(key, ['EVAL', script.text, '1', key, ...args]);
    }
  }

  private assertMigrated(): void {
    if (!this.migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using RedisStore');
  }
}

export interface Script {
  readonly text: string;
  readonly sha1: string;
}

export function scriptOf(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}
