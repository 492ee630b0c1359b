import { YubikeyError, type YubikeyErrorCode } from '../../errors.js';
import { Alarm, isDue } from '../../http/alarm.js';
import type { Requests } from '../../http/in-flight.js';
import type { CloudAnswer, CloudVerdict } from './cloud-answer.js';
import type { CloudFault } from './cloud-fault.js';
import type { CloudSettings } from './cloud-settings.js';
import { Entrant } from './entrant.js';
import { conclude, takeFault, takeTimeout, takeVerdict } from './outcome.js';
import { RETRY_DELAY_MS, type Standing } from './standing.js';

type RaceSettings = Pick<CloudSettings, 'timeout' | 'attemptTimeout' | 'retries' | 'settleTime'>;

/** A pending request. */
export interface Asked {
  /** Abandons the request for a reason, so that no answer follows. */
  abort(code: YubikeyErrorCode): void;
}

/** Asks one server once and calls `answered` with its answer or a fault, always asynchronously. */
export type Ask = (server: string, answered: (answer: CloudAnswer) => void) => Asked;

/**
 * One verification at all servers by protocol 2.0: the first authentic answer that is decisive wins.
 *
 * Servers in good standing are asked at once. The others are asked after some time, after an answer that does not
 * decide, or after all have failed. OK decides immediately. So does REPLAYED_OTP, unless our own earlier attempt at that
 * server may have caused it, because some servers do not use REPLAYED_REQUEST. BAD_OTP and DELAYED_OTP wait `settleTime`
 * for another server's OK. Faults, NOT_ENOUGH_ANSWERS and REPLAYED_REQUEST decide only if nothing else is pending.
 *
 * A race only decides when to ask which server. `outcome.ts` says what the answers mean.
 */
export class Race implements Requests {
  readonly #settings: RaceSettings;
  readonly #ask: Ask;
  readonly #onEnd: () => void;
  readonly #entrants: readonly Entrant[];
  readonly #running = new Set<Asked>();
  readonly #alarm = new Alarm(() => this.#onAlarm());
  #resolve!: (verdict: CloudVerdict) => void;
  #reject!: (error: YubikeyError) => void;
  #deadline = Infinity;
  #settledAt = Infinity;
  #refusal: CloudVerdict | undefined;
  #decided = false;

  /** @param onEnd Called once, when no request is pending any more, which may be after the result. */
  constructor(settings: RaceSettings, standings: ReadonlyMap<string, Standing>, ask: Ask, onEnd: () => void) {
    this.#settings = settings;
    this.#ask = ask;
    this.#onEnd = onEnd;
    this.#entrants = Array.from(
      standings,
      ([server, standing]) => new Entrant(server, standing, settings.retries),
    );
  }

  /** Asks the first servers. @throws YubikeyError if no server gives a verdict, or the error of `cancel()`. */
  start(): Promise<CloudVerdict> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#deadline = performance.now() + this.#settings.timeout;
      this.#askMore();
      this.#setAlarm();
    });
  }

  cancel(error: YubikeyError): void {
    this.#decide(error);
    this.abandon(error.code);
  }

  abandon(code: YubikeyErrorCode = 'TIMED_OUT'): void {
    if (this.#running.size === 0) return;
    for (const asked of this.#running) asked.abort(code);
    this.#running.clear();
    for (const { standing, running } of this.#entrants) {
      standing.wasLate(running);
      standing.owes(-running);
    }
    this.#endIfIdle();
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
    entrant.ask();
    const number = entrant.attempts;
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
    entrant.askAgainAfter(this.#settings.attemptTimeout);
  }

  #onAlarm(): void {
    if (isDue(this.#deadline)) {
      this.#timeUp();
      return;
    }
    if (!this.#decided) {
      const due = this.#entrants.filter(({ nextAttemptAt }) => isDue(nextAttemptAt));
      if (due.some(({ isWaiting }) => isWaiting)) this.#askMore();
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
    if (this.#entrants.some(({ isPending }) => isPending)) this.#setAlarm();
    else this.#conclude();
  }

  #takeVerdict(entrant: Entrant, verdict: CloudVerdict): void {
    const decides = takeVerdict(entrant, verdict);
    if (decides === 'immediately') {
      this.#decide(verdict);
      return;
    }
    entrant.stop();
    if (decides === 'after-settling' && !this.#refusal) {
      this.#refusal = verdict;
      this.#settledAt = performance.now() + this.#settings.settleTime;
    }
    // The servers that wait to be asked may disagree.
    for (const other of this.#entrants) if (other.isWaiting) this.#attempt(other);
  }

  #takeFault(entrant: Entrant, fault: CloudFault, number: number): void {
    takeFault(entrant, fault);
    if (!fault.retry) entrant.stop();
    else if (number === entrant.attempts) entrant.askAgainAfter(RETRY_DELAY_MS);
    if (this.#running.size === 0 && this.#entrants.some(({ isWaiting }) => isWaiting)) this.#askMore();
  }

  #timeUp(): void {
    if (!this.#decided) {
      for (const entrant of this.#entrants) takeTimeout(entrant, this.#settings.timeout);
      this.#conclude();
    }
    this.abandon();
  }

  #conclude(): void {
    this.#decide(conclude(this.#refusal, this.#entrants));
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

function pickBest(entrants: readonly Entrant[]): Entrant[] {
  return [entrants.reduce((best, next) => (next.standing.isBetterThan(best.standing) ? next : best))];
}
