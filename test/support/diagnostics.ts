import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { onTestFinished } from 'vitest';
import type {
  AnswerMessage,
  BatchMessage,
  RefusalMessage,
  StoreFaultMessage,
  VerifyMessage,
} from '../../src/index.js';

interface Messages {
  answer: AnswerMessage;
  refusal: RefusalMessage;
  replay: RefusalMessage;
  batch: BatchMessage;
  'store-fault': StoreFaultMessage;
}

const PLAIN = ['answer', 'refusal', 'replay', 'batch', 'store-fault'] as const;

/** All that is published on the channels of this package. */
export class Recording {
  /** The names of the events, in their order. */
  readonly names: string[] = [];
  /** The messages themselves. */
  readonly messages: object[] = [];
  readonly #plain = Object.fromEntries(PLAIN.map((name) => [name, [] as object[]]));
  /** One message of each verification. */
  readonly verifications: VerifyMessage[] = [];

  plain<Name extends keyof Messages>(name: Name): Messages[Name][] {
    return this.#plain[name] as Messages[Name][];
  }

  take(name: string, message: object): void {
    this.names.push(name);
    this.messages.push(message);
    if (name === 'verify:start') this.verifications.push(message as VerifyMessage);
    this.#plain[name]?.push(message);
  }
}

/** Subscribes to all channels until the test is finished. */
export function record(): Recording {
  const recording = new Recording();
  const takeTraced = (name: string) => (message: object) => recording.take(`verify:${name}`, message);
  const traced = {
    start: takeTraced('start'),
    end: takeTraced('end'),
    asyncStart: takeTraced('asyncStart'),
    asyncEnd: takeTraced('asyncEnd'),
    error: takeTraced('error'),
  };
  const verify = tracingChannel('passport-yubikey-otp:verify');
  verify.subscribe(traced);
  onTestFinished(() => verify.unsubscribe(traced));
  for (const name of PLAIN) {
    const take = (message: unknown) => recording.take(name, message as object);
    subscribe(`passport-yubikey-otp:${name}`, take);
    onTestFinished(() => void unsubscribe(`passport-yubikey-otp:${name}`, take));
  }
  return recording;
}
