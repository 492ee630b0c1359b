import { YubikeyError } from '../../errors.js';
import { Alarm, isDue } from './alarm.js';
import type { CloudAnswer, CloudVerdict } from './cloud-answer.js';
import type { CloudFault } from './cloud-fault.js';
import type { CloudSettings } from './cloud-settings.js';
import { type CloudServerFault, isUsedUp, moreTelling, noVerdict } from './outcome.js';
import { RETRY_DELAY_MS, type Standing } from './standing.js';

const NOTHING_SAID = { authenticated: false, retry: true, maybeAccepted: true } as const;
/** The fault of a server that reported a replay, if no verdict was reached. */
const HAS_SEEN_IT: CloudFault = {
  code: 'ANSWER_LOST',
  message: 'it has seen the OTP before, perhaps in this very request',
  authenticated: true,
  retry: false,
  maybeAccepted: true,
};

type RaceSettings = Pick<CloudSettings, 'timeout' | 'attemptTimeout' | 'retries' | 'settleTime' | 'protocol'>;

/** A pending request. */
export interface Asked {
  /** Abandons the request, so that no answer follows. */
  abort(): void;
}

/** Asks one server once and calls `answered` with its answer or a fault, always asynchronously. */
export type Ask = (server: string, answered: (answer: CloudAnswer) => void) => Asked;

/** The state of one server in a race. */
interface Entrant {
  readonly server: string;
  readonly standing: Standing;
  attempts: number;
  running: number;
  /** When the server is asked next, unless it answers before. */
  nextAttemptAt: number;
  /** Whether the server is not to be asked again. */
  final: boolean;
  /** The most informative fault of all attempts. */
  fault: CloudFault | undefined;
  /** The server reports a replay, which our own earlier request may have caused. */
  replayed: 'REPLAYED_OTP' | 'REPLAYED_REQUEST' | undefined;
  /** Whether the server may have accepted one of our requests although its answer was lost. */
  maybeAccepted: boolean;
}

/**
 * One verification at all servers: the first authentic answer that is decisive wins.
 *
 * Servers in good standing are asked at once. The others are asked after some time, after an answer that does not
 * decide, or after all have failed. OK decides immediately. So does REPLAYED_OTP, unless our own earlier attempt at that
 * server may have caused it, because some servers do not use REPLAYED_REQUEST. BAD_OTP and DELAYED_OTP wait `settleTime`
 * for another server's OK. Faults, NOT_ENOUGH_ANSWERS and REPLAYED_REQUEST decide only if nothing else is pending. In
 * protocol 1.0, servers are asked one after another, and the next one only if the last cannot have accepted the OTP.
 */
export class Race {
  readonly result: Promise<CloudVerdict>;
  readonly #settings: RaceSettings;
  readonly #ask: Ask;
  readonly #onEnd: () => void;
  #resolve!: (verdict: CloudVerdict) => void;
  #reject!: (error: YubikeyError) => void;
  readonly #entrants: readonly Entrant[];
  readonly #running = new Set<Asked>();
  readonly #alarm = new Alarm(() => this.#onAlarm());
  readonly #deadline: number;
  #settledAt = Infinity;
  #refusal: CloudVerdict | undefined;
  #decided = false;

  /** @param onEnd Called once, when no request is pending any more, which may be after the result. */
  constructor(settings: RaceSettings, standings: ReadonlyMap<string, Standing>, ask: Ask, onEnd: () => void) {
    this.#settings = settings;
    this.#ask = ask;
    this.#onEnd = onEnd;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#entrants = Array.from(standings, ([server, standing]) => ({
      server,
      standing,
      attempts: 0,
      running: 0,
      nextAttemptAt: Infinity,
      final: false,
      fault: undefined,
      replayed: undefined,
      maybeAccepted: false,
    }));
    this.#deadline = performance.now() + settings.timeout;
    this.#start();
    this.#setAlarm();
  }

  /** Ends the race immediately with an error, and all its requests. */
  cancel(error: YubikeyError): void {
    this.#decide(error);
    this.abandon();
  }

  /** Abandons all pending requests of a decided race. */
  abandon(): void {
    if (this.#running.size === 0) return;
    for (const asked of this.#running) asked.abort();
    this.#running.clear();
    for (const { standing, running } of this.#entrants) {
      standing.wasLate(running);
      standing.owes(-running);
    }
    this.#endIfIdle();
  }

  #start(): void {
    if (this.#settings.protocol === '1.0') this.#attempt(this.#entrants[0] as Entrant);
    else this.#askMore();
  }

  /** Asks the servers in good standing that were not asked yet, at least one. The others wait, but not until the end. */
  #askMore(): void {
    const { timeout, attemptTimeout } = this.#settings;
    const unasked = this.#entrants.filter(({ attempts }) => attempts === 0);
    const good = unasked.filter(({ standing }) => standing.isGood);
    for (const entrant of good.length > 0 ? good : pickBest(unasked)) this.#attempt(entrant);
    const wait = Math.min(RETRY_DELAY_MS, attemptTimeout, timeout / this.#entrants.length);
    const later = performance.now() + wait;
    for (const entrant of unasked) if (entrant.attempts === 0) entrant.nextAttemptAt = later;
  }

  #attempt(entrant: Entrant): void {
    entrant.attempts += 1;
    entrant.running += 1;
    const number = entrant.attempts;
    entrant.standing.asked();
    const asked = this.#ask(entrant.server, (answer) => {
      this.#running.delete(asked);
      entrant.running -= 1;
      if ('fault' in answer) entrant.standing.failed();
      else if (this.#decided) entrant.standing.wasLate(1);
      else entrant.standing.answered();
      if (this.#decided) {
        entrant.standing.owes(-1);
        this.#endIfIdle();
      } else {
        this.#takeAnswer(entrant, answer, number);
      }
    });
    this.#running.add(asked);
    this.#scheduleAttempt(entrant, this.#settings.attemptTimeout);
  }

  #scheduleAttempt(entrant: Entrant, delay: number): void {
    const isLast = entrant.final || entrant.attempts > this.#settings.retries;
    entrant.nextAttemptAt = isLast ? Infinity : performance.now() + delay;
  }

  #onAlarm(): void {
    if (isDue(this.#deadline)) {
      this.#timeUp();
      return;
    }
    if (!this.#decided) {
      const due = this.#entrants.filter(({ nextAttemptAt }) => isDue(nextAttemptAt));
      if (due.some(isUnasked)) this.#askMore();
      for (const entrant of due) if (isDue(entrant.nextAttemptAt)) this.#attempt(entrant);
      if (isDue(this.#settledAt)) this.#conclude();
    }
    if (this.#running.size > 0 || !this.#decided) this.#setAlarm();
  }

  /** After the verdict, only the deadline of pending requests matters. */
  #setAlarm(): void {
    let next = this.#deadline;
    if (!this.#decided) {
      next = Math.min(next, this.#settledAt);
      for (const { nextAttemptAt } of this.#entrants) next = Math.min(next, nextAttemptAt);
    }
    this.#alarm.set(next);
    if (this.#decided) this.#alarm.unref();
  }

  #takeAnswer(entrant: Entrant, answer: CloudAnswer, number: number): void {
    if ('fault' in answer) this.#takeFault(entrant, answer.fault, number);
    else this.#takeVerdict(entrant, answer.verdict);
    if (this.#decided) return;
    this.#askOthers(answer);
    if (this.#entrants.some(isPending)) this.#setAlarm();
    else this.#conclude();
  }

  /** Asks further servers after an answer that does not decide, or if no request is pending after a fault. */
  #askOthers(answer: CloudAnswer): void {
    const unasked = this.#entrants.filter(isUnasked);
    if ('verdict' in answer) for (const entrant of unasked) this.#attempt(entrant);
    else if (this.#running.size === 0 && unasked.length > 0) this.#askMore();
  }

  #takeVerdict(entrant: Entrant, verdict: CloudVerdict): void {
    const { status } = verdict;
    const mayBeOurs = entrant.running > 0 || entrant.maybeAccepted;
    if (status === 'OK' || (status === 'REPLAYED_OTP' && !mayBeOurs)) {
      this.#decide(verdict);
      return;
    }
    stop(entrant);
    if (status === 'REPLAYED_OTP' || status === 'REPLAYED_REQUEST') {
      entrant.replayed = status;
      return;
    }
    this.#refusal ??= verdict;
    this.#settledAt = Math.min(this.#settledAt, performance.now() + this.#settings.settleTime);
  }

  #takeFault(entrant: Entrant, fault: CloudFault, number: number): void {
    entrant.fault = entrant.fault ? moreTelling(entrant.fault, fault) : fault;
    entrant.maybeAccepted ||= fault.maybeAccepted;
    if (!fault.retry) stop(entrant);
    else if (number === entrant.attempts) this.#scheduleAttempt(entrant, RETRY_DELAY_MS);
    if (this.#settings.protocol === '1.0' && !fault.maybeAccepted) {
      const next = this.#entrants.find(({ attempts }) => attempts === 0);
      if (next) this.#attempt(next);
    }
  }

  #timeUp(): void {
    if (!this.#decided) {
      for (const entrant of this.#entrants.filter(({ running }) => running > 0)) {
        entrant.fault ??= {
          ...NOTHING_SAID,
          code: 'TIMED_OUT',
          message: `no answer in ${this.#settings.timeout} ms`,
        };
        entrant.maybeAccepted = true;
      }
      this.#conclude();
    }
    this.abandon();
  }

  #conclude(): void {
    this.#decide(this.#outcome());
  }

  /** The outcome of all answers, once no more answers are to come. */
  #outcome(): CloudVerdict | YubikeyError {
    if (this.#refusal) return this.#refusal;
    if (this.#entrants.some(({ fault }) => fault && isUsedUp(fault))) return noVerdict(this.#faults());
    const replayed = this.#entrants.find((entrant) => entrant.replayed)?.replayed;
    if (!replayed) return noVerdict(this.#faults());
    return this.#entrants.some(({ maybeAccepted }) => maybeAccepted)
      ? this.#answerLost()
      : { status: replayed };
  }

  #answerLost(): YubikeyError {
    const message =
      'A server accepted the OTP, but its answer was lost and the OTP is used up: touch the key again';
    return new YubikeyError('ANSWER_LOST', message, { servers: this.#faults() });
  }

  #faults(): CloudServerFault[] {
    return this.#entrants
      .filter(({ attempts }) => attempts > 0)
      .map(({ server, attempts, fault = HAS_SEEN_IT }) => {
        const times = attempts > 1 ? ` (${attempts} attempts)` : '';
        return {
          server,
          code: fault.code,
          message: fault.message + times,
          authenticated: fault.authenticated,
        };
      });
  }

  #decide(outcome: CloudVerdict | YubikeyError): void {
    if (this.#decided) return;
    this.#decided = true;
    for (const { standing, running } of this.#entrants) standing.owes(running);
    this.#alarm.unref();
    if (outcome instanceof YubikeyError) this.#reject(outcome);
    else this.#resolve(outcome);
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#running.size > 0) return;
    this.#alarm.clear();
    this.#onEnd();
  }
}

function isPending({ running, nextAttemptAt }: Entrant): boolean {
  return running > 0 || nextAttemptAt < Infinity;
}

/** Whether the server waits to be asked for the first time. */
function isUnasked({ attempts, nextAttemptAt }: Entrant): boolean {
  return attempts === 0 && nextAttemptAt < Infinity;
}

function pickBest(entrants: readonly Entrant[]): Entrant[] {
  return [entrants.reduce((best, next) => (next.standing.isBetterThan(best.standing) ? next : best))];
}

function stop(entrant: Entrant): void {
  entrant.final = true;
  entrant.nextAttemptAt = Infinity;
}
