import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Otp, type Verification, YubikeyStrategy } from '../../src/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { EXPRESSES, logIn, signInApp, WAYS } from '../support/passport/app.js';
import { HeldVerifier } from '../support/passport/held-verifier.js';

type Settle = 'accept' | 'refuse' | 'fail';

const STATUS: Record<Settle, number> = { accept: 200, refuse: 401, fail: 503 };
const SETTLES: readonly Settle[] = ['accept', 'refuse', 'fail'];
const PAIRS = SETTLES.flatMap((first) => SETTLES.map((second) => ({ first, second })));

const onEveryExpress = EXPRESSES.flatMap((each) => WAYS.map((way) => ({ ...each, way })));

describe.each(onEveryExpress)('requests that overlap on $version, by $way', ({ express, way }) => {
  it.each(PAIRS)('each get their own outcome: $first later, $second meanwhile', async ({ first, second }) => {
    const verifier = new HeldVerifier();
    const { app } = signInApp(express, new YubikeyStrategy({ verifier }, findOwner), { way });
    const [slow, quick] = [new SoftYubikey(), new SoftYubikey()];

    const slowAnswer = logIn(app, { otp: slow.press() }).then((answer) => answer);
    await verifier.arrived(slow);
    const quickAnswer = logIn(app, { otp: quick.press() }).then((answer) => answer);
    await verifier.arrived(quick);

    verifier[second](quick);
    const { status: quickStatus, body: quickUser } = await quickAnswer;
    verifier[first](slow);
    const { status: slowStatus, body: slowUser } = await slowAnswer;

    expect([slowStatus, quickStatus]).toEqual([STATUS[first], STATUS[second]]);
    if (first === 'accept') expect(slowUser).toEqual({ id: slow.publicId });
    if (second === 'accept') expect(quickUser).toEqual({ id: quick.publicId });
  });

  it('each get their own user while their lookups overlap too', async () => {
    const verify = async ({ publicId }: Otp): Promise<Verification> => {
      await sleep(Math.random() * 5);
      return { ok: true, identity: { publicId } };
    };
    const strategy = new YubikeyStrategy({ verifier: { verify } }, async (identity) => {
      await sleep(Math.random() * 5);
      return findOwner(identity);
    });
    const { app, reached } = signInApp(express, strategy, { way });
    const yubikeys = Array.from({ length: 60 }, () => new SoftYubikey());
    const server = app.listen(0);
    const answers = await Promise.all(
      yubikeys.map((yubikey) => logIn(server, { otp: yubikey.press() })),
    ).finally(() => server.close());
    expect(answers.map(({ body }) => body)).toEqual(yubikeys.map(findOwner));
    expect(reached).toHaveLength(yubikeys.length);
  });
});

function findOwner({ publicId }: { publicId: string }) {
  return { id: publicId };
}

describe.each(EXPRESSES)('two apps with the same strategy instance on $version', ({ express }) => {
  it('each answer their own requests', async () => {
    const verifier = new HeldVerifier();
    const strategy = new YubikeyStrategy({ verifier }, findOwner);
    const [one, other] = [
      signInApp(express, strategy, { way: 'instance' }),
      signInApp(express, strategy, { way: 'instance' }),
    ];
    const [slow, quick] = [new SoftYubikey(), new SoftYubikey()];
    const slowAnswer = logIn(one.app, { otp: slow.press() }).then(({ body }) => body);
    await verifier.arrived(slow);
    const quickAnswer = logIn(other.app, { otp: quick.press() }).then(({ body }) => body);
    await verifier.arrived(quick);
    verifier.accept(quick);
    expect(await quickAnswer).toEqual(findOwner(quick));
    verifier.accept(slow);
    expect(await slowAnswer).toEqual(findOwner(slow));
    expect([one.reached, other.reached]).toEqual([[{ user: findOwner(slow) }], [{ user: findOwner(quick) }]]);
  });
});
