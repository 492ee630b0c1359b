import { describe, expect, it } from 'vitest';
import { InFlight } from '../../src/http/in-flight.js';
import type { Transport } from '../../src/http/transport.js';
import type { YubikeyError } from '../../src/index.js';

function open() {
  const calls: string[] = [];
  const transport = {
    dropConnecting: () => void calls.push('dropConnecting'),
    close: async () => void calls.push('close'),
  } as Partial<Transport> as Transport;
  return { inFlight: new InFlight('Client', transport), calls };
}

/** Requests that tell how they were ended. */
class FakeRequests {
  readonly ended: (string | undefined)[] = [];
  cancel({ code, message }: YubikeyError): void {
    this.ended.push(`${code}: ${message}`);
  }
  abandon(): void {
    this.ended.push('abandoned');
  }
}

describe('requests in flight', () => {
  it('may finish after the decision, except the oldest of more than 32', () => {
    const { inFlight } = open();
    const all = Array.from({ length: 34 }, () => new FakeRequests());
    for (const requests of all) inFlight.add(requests);
    for (const requests of all.slice(0, 32)) inFlight.decide(requests);
    expect(all.flatMap(({ ended }) => ended)).toEqual([]);
    inFlight.decide(all[32] as FakeRequests);
    expect(all.map(({ ended }) => ended)).toEqual([['abandoned'], ...Array(33).fill([])]);
  });

  it('do not count as decided any more once they have ended', () => {
    const { inFlight } = open();
    const all = Array.from({ length: 33 }, () => new FakeRequests());
    for (const requests of all) inFlight.add(requests);
    for (const requests of all.slice(0, 32)) inFlight.decide(requests);
    inFlight.end(all[0] as FakeRequests);
    inFlight.decide(all[32] as FakeRequests);
    expect(all.flatMap(({ ended }) => ended)).toEqual([]);
  });

  it('are forgotten if they ended before the decision', () => {
    const { inFlight } = open();
    const all = Array.from({ length: 40 }, () => new FakeRequests());
    for (const requests of all) {
      inFlight.add(requests);
      inFlight.end(requests);
      inFlight.decide(requests);
    }
    expect(all.flatMap(({ ended }) => ended)).toEqual([]);
  });

  it('leave no connection half open once all have ended', () => {
    const { inFlight, calls } = open();
    const [one, other] = [new FakeRequests(), new FakeRequests()];
    inFlight.add(one);
    inFlight.add(other);
    inFlight.end(one);
    expect(calls).toEqual([]);
    inFlight.end(other);
    expect(calls).toEqual(['dropConnecting']);
  });

  it('are all ended by close(), decided or not, before the connections', async () => {
    const { inFlight, calls } = open();
    const [pending, decided] = [new FakeRequests(), new FakeRequests()];
    inFlight.add(pending);
    inFlight.add(decided);
    inFlight.decide(decided);
    inFlight.assertOpen();
    const closed = inFlight.close();
    expect([pending.ended, decided.ended]).toEqual(Array(2).fill(['CLOSED: The Client was closed']));
    await closed;
    expect(calls).toEqual(['close']);
    expect(() => inFlight.assertOpen()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });
});
