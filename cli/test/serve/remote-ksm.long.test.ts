import { setTimeout as sleep } from 'node:timers/promises';
import { KsmVerifier, MemoryStore, parseOtp, RemoteKsm, YubikeyError } from 'passport-yubikey-otp';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { repetitions } from '../../../test/support/long/repetitions.js';
import { describeWith } from '../../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import type { Instance } from '../support/long/serve/instance.js';
import { NO_LIMITS, Site } from '../support/long/serve/site.js';
import { Tally } from '../support/long/serve/validation-client.js';

const KILLS = repetitions(20, 3);
const KEYS = 24;
/** Verdicts between a start and a kill. */
const ENOUGH = 300;
const ALONE_MS = 300;
const KSM = ['--no-validation', ...NO_LIMITS];

describeWith('RemoteKsm asks two KSMs in other processes, one killed under load', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server?.stop());

  it.each(['rest', 'wsapi'] as const)(`over %s, ${KILLS} times: no wrong verdict`, async (protocol) => {
    const site = await Site.open(await server.newSchema(), { keys: KEYS });
    const services: [Instance, Instance] = [await site.start(KSM), await site.start(KSM)];
    const ksm = new RemoteKsm({ protocol, urls: services.map(({ url }) => `${url}/`) });
    const verifier = new KsmVerifier({ ksm, counters: new MemoryStore().counters });
    const [fresh, replayed, forged, again, faults] = [
      new Tally(),
      new Tally(),
      new Tally(),
      new Tally(),
      new Tally(),
    ];
    const accepted = new Set<string>();
    const acceptedTwice: string[] = [];
    const noYubikeyErrors: unknown[] = [];
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    let isOver = false;

    /** A verdict, or the code of a fault. */
    async function verify(otp: string): Promise<string> {
      try {
        const verdict = await verifier.verify(parseOtp(otp));
        if (!verdict.ok) return verdict.reason;
        if (accepted.has(otp)) acceptedTwice.push(otp);
        accepted.add(otp);
        return 'OK';
      } catch (error) {
        site.tell(error);
        if (!(error instanceof YubikeyError)) noYubikeyErrors.push(error);
        const { code } = error as YubikeyError;
        faults.add(code);
        return `fault ${code}`;
      }
    }

    async function useUp(yubikey: SoftYubikey): Promise<void> {
      const imposter = new SoftYubikey({ publicId: yubikey.publicId });
      while (!isOver) {
        const otp = site.press(yubikey);
        const verdict = await verify(otp);
        fresh.add(verdict);
        if (verdict === 'OK') replayed.add(await verify(otp));
        else again.add(await verify(otp));
        forged.add(await verify(site.hide(imposter.press())));
      }
    }

    const load = site.yubikeys.map(useUp);
    const enough = async () => {
      for (const until = fresh.all + ENOUGH; fresh.all < until; ) await sleep(20);
    };
    const startedAt = performance.now();
    for (let kill = 0; kill < KILLS; kill++) {
      await enough();
      const at = kill % 2;
      const { url } = services[at] as Instance;
      await services[at]?.kill();
      await sleep(ALONE_MS);
      services[at] = await site.start(KSM, Number(new URL(url).port));
    }
    await enough();
    isOver = true;
    await Promise.all(load);
    const seconds = (performance.now() - startedAt) / 1000;
    await ksm.close();
    console.log(
      `${protocol}, ${KILLS} kills in ${seconds.toFixed(0)} s; fresh OTPs: ${fresh}; sent again after OK: ${replayed}; ` +
        `sent again after a fault: ${again}; forged: ${forged}; faults in all: ${faults}`,
    );

    expect(warnings, 'no listeners that pile up').toEqual([]);
    expect(noYubikeyErrors).toEqual([]);
    expect(acceptedTwice).toEqual([]);
    const verdictsIn = ({ counts }: Tally) => Object.keys(counts).filter((it) => !it.startsWith('fault '));
    expect(verdictsIn(fresh)).toEqual(['OK']);
    expect(verdictsIn(replayed)).toEqual(['REPLAYED_OTP']);
    expect(verdictsIn(forged)).toEqual(['BAD_OTP']);
    // A KSM that refuses replays may have used the OTP up before its answer was lost; a stateless one cannot.
    expect(protocol === 'rest' ? ['OK', 'REPLAYED_OTP'] : ['OK']).toEqual(
      expect.arrayContaining(verdictsIn(again)),
    );
    for (const code of Object.keys(faults.counts)) expect(['KSM_FAILED', 'ANSWER_LOST']).toContain(code);
    expect(fresh.of('OK')).toBeGreaterThan(KILLS * ENOUGH * 0.9);

    for (const service of services) {
      site.tell(await service.metrics());
      expect((await service.stop()).code).toBe(0);
    }
    await site.expectNoLeaks();
  });
});
