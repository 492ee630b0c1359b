import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Child } from '../../support/long/child.js';
import { repetitions } from '../../support/long/repetitions.js';
import { Witness } from '../../support/long/witness.js';
import { describeWith } from '../../support/programs.js';
import { missingPostgres, PostgresServer } from '../../support/servers/postgres.js';

const ROUNDS = repetitions(10, 2);
const ENOUGH = 100;

describeWith('PostgreSQL under load', missingPostgres, () => {
  async function disturb(disturbance: (server: PostgresServer) => Promise<void>) {
    const server = await PostgresServer.start();
    onTestFinished(() => server.stop());
    const witness = new Witness(server.url);
    await witness.addKeys();
    const child = new Child('verify-until-killed', [server.url, witness.keyring, witness.states(0)]);
    expect(await child.nextLine()).toBe('ready');
    const lines: string[] = [];
    /** Reads on until enough further OTPs were accepted. */
    const hearEnough = async () => {
      for (let accepted = 0; accepted < ENOUGH; ) {
        const line = await child.nextLine();
        if (line === undefined) throw new Error(`the process ended with ${await child.end()}`);
        lines.push(line);
        if (line.startsWith('OK ')) accepted++;
      }
    };
    for (let round = 0; round < ROUNDS; round++) {
      await hearEnough();
      const before = lines.length;
      await Promise.all([disturbance(server), hearEnough()]);
      await hearEnough();
      expect(lines.length).toBeGreaterThan(before);
    }
    child.process.kill('SIGKILL');
    lines.push(...(await child.restOfLines()));
    expect(await child.end()).toBe('SIGKILL');
    const accepted = witness.hear(lines);
    await witness.check(accepted);
    const failed = lines.filter((line) => line.startsWith('FAILED ')).length;
    expect(failed).toBeGreaterThan(0);
    console.log(`${ROUNDS} times; ${accepted.length} OTPs accepted, ${failed} verifications failed`);
  }

  const restart = (signal: 'SIGINT' | 'SIGQUIT') => async (server: PostgresServer) => {
    await server.halt(signal);
    await sleep(300);
    await server.run();
  };

  it('is restarted: verifications fail with STORE_FAILED or ANSWER_LOST, and recover by themselves', () =>
    disturb(restart('SIGINT')));

  it('crashes and is started again: the same', () => disturb(restart('SIGQUIT')));

  it('loses its connections: the same', () =>
    disturb(async (server) => {
      const pool = server.pool({ max: 1 });
      for (let n = 0; n < 10; n++) {
        await pool.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
        );
        await sleep(20);
      }
      await pool.end();
    }));
});
