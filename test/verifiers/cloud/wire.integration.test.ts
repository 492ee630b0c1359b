import { afterEach, describe, expect, it } from 'vitest';
import { answerFields, answerText, type Behaviour } from '../../support/verifiers/cloud/fake-server.js';
import { closeAll, faultAt, NO_RETRY, OK, verifyAt } from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

/** Sends these bytes instead of node:http's, and closes the connection after them if told to. */
const bytes =
  (of: (ok: string) => string, isEnd = false): Behaviour =>
  (query, res) => {
    const text = of(answerText(answerFields(query, 'OK')));
    if (isEnd) res.socket?.end(text);
    else res.socket?.write(text);
  };

const whole = (ok: string, length = ok.length) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${ok}`;
const chunked = (ok: string, end: string) =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${ok.length.toString(16)}\r\n${ok}\r\n${end}`;

describe('an answer', () => {
  it.each([
    [
      'after an informational status',
      bytes((ok) => `HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n${whole(ok)}`),
    ],
    ['with trailers', bytes((ok) => chunked(ok, '0\r\nstatus: BAD_OTP\r\n\r\n'))],
    ['that ends with its connection', bytes((ok) => `HTTP/1.0 200 OK\r\n\r\n${ok}`, true)],
    ['followed by another one', bytes((ok) => `${whole(ok)}${whole(ok.replace('OK', 'BAD_OTP'))}`)],
  ] as const)('%s is read', async (_what, behaviour) => {
    expect(await verifyAt([behaviour], NO_RETRY)).toEqual(OK);
  });

  it.each([
    ['without its last chunk', bytes((ok) => chunked(ok, ''), true), 'UNREACHABLE'],
    ['shorter than its Content-Length', bytes((ok) => whole(ok, ok.length + 1), true), 'UNREACHABLE'],
    ['longer than its Content-Length', bytes((ok) => whole(ok, ok.length - 5)), 'ANSWER_MALFORMED'],
    [
      'in another protocol',
      bytes((ok) => `HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${ok}`),
      'UNREACHABLE',
    ],
  ] as const)('%s is refused, although all of it has arrived', async (_what, behaviour, code) => {
    expect(await faultAt([behaviour], NO_RETRY)).toMatchObject({ code });
  });
});
