import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Child } from '../support/long/child.js';
import { repetitions } from '../support/long/repetitions.js';
import { Witness } from '../support/long/witness.js';
import { describeWith } from '../support/programs.js';
import { missingPostgres, PostgresServer } from '../support/servers/postgres.js';
import { temporaryFile } from '../support/stores/sqlite-drivers.js';

const KILLS = repetitions(100, 10);
/** More power-ups than a process can use up before it is killed. */
const USES = 300;

/** Kills a process that verifies OTPs at a random moment, sometimes while it starts, and returns the lines it wrote. */
async function runUntilKilled(witness: Witness, kill: number, crashServer?: () => Promise<void>) {
  const child = new Child('verify-until-killed', [witness.url, witness.keyring, witness.states(kill * USES)]);
  const isStarting = kill % 10 === 5;
  if (!isStarting) expect(await child.nextLine()).toBe('ready');
  await sleep(randomInt(isStarting ? 1200 : 500));
  await crashServer?.();
  child.process.kill('SIGKILL');
  const lines = await child.restOfLines();
  expect(await child.end()).toBe('SIGKILL');
  return lines;
}

async function killOften(
  url: string,
  crashServer?: () => Promise<void>,
  restartServer?: () => Promise<void>,
) {
  const witness = new Witness(url);
  await witness.addKeys();
  let crashes = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    const isCrash = crashServer && kill % 10 === 0;
    const lines = await runUntilKilled(witness, kill, isCrash ? crashServer : undefined);
    if (isCrash) {
      await restartServer?.();
      crashes++;
    }
    const accepted = witness.hear(lines);
    await witness.check(accepted);
    await witness.checkWorks(kill * USES + USES - 1);
  }
  await witness.check(witness.accepted);
  expect(witness.accepted.length).toBeGreaterThan(10 * KILLS);
  console.log(
    `${KILLS} processes and ${crashes} servers killed; ${witness.accepted.length} OTPs were accepted ` +
      `and none is accepted again; ${witness.keys} keys were stored and all are still there`,
  );
}

describe.each(['sqlite', 'sqlite-threads'])('%s, when the process is killed', (scheme) => {
  it(`loses no key and no counter, and accepts no OTP again, ${KILLS} times`, () =>
    killOften(`${scheme}:${temporaryFile()}`));
});

describeWith(
  'PostgreSQL, when the process is killed, and every tenth time the server too',
  missingPostgres,
  () => {
    it(`loses no key and no counter, and accepts no OTP again, ${KILLS} times`, async () => {
      const server = await PostgresServer.start();
      try {
        await killOften(
          server.url,
          () => server.halt('SIGQUIT'),
          () => server.run(),
        );
      } finally {
        await server.stop();
      }
    });
  },
);
