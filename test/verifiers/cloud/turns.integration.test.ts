import { Agent, type Dispatcher } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import {
  answer,
  answerFields,
  answerText,
  type Behaviour,
  hang,
  httpStatus,
  inTurn,
} from '../../support/verifiers/cloud/fake-server.js';
import { closeAll, createVerifier, OK, startAll, yubikey } from '../../support/verifiers/cloud/harness.js';

const agents: Agent[] = [];

afterEach(async () => {
  await closeAll();
  await Promise.all(agents.splice(0).map((agent) => agent.destroy()));
});

/** An Agent that calls a function as soon as it has passed on the last byte of an answer. */
function watchedAgent(onAnswer: () => void): Dispatcher {
  const agent = new Agent();
  agents.push(agent);
  return agent.compose((dispatch) => (options, handler) => {
    const watched: Dispatcher.DispatchHandler = {
      onRequestStart: (...args) => handler.onRequestStart?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
      onResponseEnd: (...args) => {
        handler.onResponseEnd?.(...args);
        onAnswer();
      },
    };
    return dispatch(options, watched);
  });
}

const inPieces: Behaviour = (query, res) => {
  const text = answerText(answerFields(query, 'OK'));
  res.write(text.slice(0, 40));
  setTimeout(() => res.end(text.slice(40)), 50);
};

describe('the decisive answer', () => {
  for (const [name, behaviours] of Object.entries<Behaviour[]>({
    'of one server': [answer('OK')],
    'that comes in pieces': [inPieces],
    'with other servers still silent': [hang, answer('OK'), hang],
    'after a fault and a retry': [inTurn(answer('BACKEND_ERROR'), answer('OK'))],
    'when all others failed': [httpStatus(403), httpStatus(404), inPieces],
  })) {
    it(`${name}, reaches the caller in the turn of the event loop that reads it`, async () => {
      let turnIsOver: boolean | undefined;
      const dispatcher = watchedAgent(() => {
        turnIsOver = false;
        setImmediate(() => {
          turnIsOver = true;
        });
      });
      const servers = await startAll(...behaviours);
      const verifier = createVerifier(
        servers.map(({ url }) => url),
        { dispatcher },
      );
      const verification = await verifier.verify(parseOtp(yubikey.press()));
      expect(turnIsOver).toBe(false);
      expect(verification).toEqual(OK);
    });
  }
});

describe('a verification', () => {
  it('accepts an answer that has arrived although its time was up while the process was busy', async () => {
    const block = () => {
      const until = performance.now() + 3100;
      while (performance.now() < until);
    };
    const [server] = await startAll((query, res) => {
      res.end(answerText(answerFields(query, 'OK')));
      setImmediate(block);
    });
    const verifier = createVerifier([server?.url as string], { timeout: 3000, retries: 0 });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toEqual(OK);
  });

  it('has one timer, however many servers it waits for and asks again', async () => {
    const servers = await startAll(hang, hang, hang, hang, httpStatus(500));
    const verifier = createVerifier(servers.map(({ url }) => url));
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const aborted = new AbortController();
    const verifications = Array.from({ length: 10 }, () =>
      verifier.verify(parseOtp(yubikey.press()), { signal: aborted.signal }).catch(() => undefined),
    );
    await expect.poll(() => servers.every(({ requests }) => requests.length >= 10)).toBe(true);
    // The other timer is undici's, for all connections.
    expect(timers() - before).toBeLessThanOrEqual(10 + 1);
    aborted.abort();
    await Promise.all(verifications);
    await expect.poll(() => timers() - before).toBeLessThanOrEqual(1);
  });
});
