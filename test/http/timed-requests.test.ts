import { describe, expect, it } from 'vitest';
import type { Exchange, HttpOutcome } from '../../src/http/exchange.js';
import { TimedRequests } from '../../src/http/timed-requests.js';
import type { Transport } from '../../src/http/transport.js';
import { YubikeyError } from '../../src/index.js';
import { VirtualClock } from '../support/virtual-clock.js';

const REQUEST = { url: 'https://ksm.test/', accept: 'text/plain' };
const ANSWER: HttpOutcome = { answer: { status: 200, text: 'hello' } };

/** Requests with a limit of 100 ms, and what became of each. */
function start() {
  const started: { done: (outcome: HttpOutcome) => void; aborted: boolean }[] = [];
  const transport = {
    start: (_request, done) => {
      const one = { done, aborted: false };
      started.push(one);
      return {
        abort: () => {
          one.aborted = true;
        },
      } as Exchange;
    },
  } as Partial<Transport> as Transport;
  return { started, requests: new TimedRequests(transport, 100) };
}

describe('requests with a time limit', () => {
  it('resolve with their answers', async () => {
    const clock = new VirtualClock();
    await clock.run(async () => {
      const { started, requests } = start();
      const outcome = requests.send(REQUEST);
      clock.after(99, () => {
        started[0]?.done(ANSWER);
        requests.clear();
      });
      expect(await outcome).toBe(ANSWER);
      expect(started[0]?.aborted).toBe(false);
    });
    expect(clock.now).toBe(1099);
  });

  it('are abandoned as TIMED_OUT when the time is up, those that are sent later, too', async () => {
    const clock = new VirtualClock();
    await clock.run(async () => {
      const { started, requests } = start();
      const first = requests.send(REQUEST);
      clock.after(60, () => void requests.send(REQUEST));
      const TIMED_OUT = { error: { code: 'TIMED_OUT', message: 'no answer in 100 ms', maybeAccepted: true } };
      expect(await first).toMatchObject(TIMED_OUT);
      expect(clock.now).toBe(1100);
      expect(started.map(({ aborted }) => aborted)).toEqual([true, true]);
      expect(await requests.send(REQUEST)).toMatchObject(TIMED_OUT);
      expect(started).toHaveLength(2);
    });
  });

  it('accept an answer that arrived while the process was busy until after the limit', async () => {
    const clock = new VirtualClock();
    await clock.run(async () => {
      const { started, requests } = start();
      const outcome = requests.send(REQUEST);
      // Timers run before sockets are read.
      clock.after(100, () => started[0]?.done(ANSWER));
      expect(await outcome).toBe(ANSWER);
    });
  });

  it('reject with the error that cancels them, and do not start any more', async () => {
    await new VirtualClock().run(async () => {
      const { started, requests } = start();
      const error = new YubikeyError('CLOSED', 'closed');
      const sent = [requests.send(REQUEST), requests.send(REQUEST)];
      requests.cancel(error);
      for (const one of sent) await expect(one).rejects.toBe(error);
      await expect(requests.send(REQUEST)).rejects.toBe(error);
      expect(started.map(({ aborted }) => aborted)).toEqual([true, true]);
    });
  });

  it('end when they are abandoned, and leave no timer', async () => {
    const clock = new VirtualClock();
    await clock.run(async () => {
      const { started, requests } = start();
      const sent = requests.send(REQUEST);
      requests.abandon();
      expect(await sent).toMatchObject({ error: { code: 'TIMED_OUT' } });
      expect(started[0]?.aborted).toBe(true);
      expect(clock.pending).toBe(0);
    });
  });

  it('are not ended by the time after the last answer', async () => {
    const clock = new VirtualClock();
    await clock.run(async () => {
      const { requests } = start();
      requests.clear();
      expect(clock.pending).toBe(0);
    });
  });
});
