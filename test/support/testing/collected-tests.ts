import type { TestRunner } from '../../../src/testing/index.js';

/** A test runner that collects the tests of a contract by their names, and runs those that it is asked for. */
export class CollectedTests implements TestRunner {
  readonly tests: { name: string; run: () => Promise<void> }[] = [];

  readonly describe = (_name: string, define: () => void): void => define();

  readonly it = (name: string, run: () => Promise<void>): void => {
    this.tests.push({ name, run });
  };

  /** Runs the tests of that name, or all. Returns the names of those that failed, and why. */
  async run(name?: string): Promise<Map<string, unknown>> {
    const chosen = this.tests.filter((test) => name === undefined || test.name === name);
    if (chosen.length === 0) throw new Error(`The contract has no test ${name}`);
    const failed = new Map<string, unknown>();
    for (const test of chosen) await test.run().catch((error) => failed.set(test.name, error));
    return failed;
  }
}
