/** `describe` and `it` of the test runner: of `node:test`, Vitest, Jest or Mocha, or functions that do the same. */
export interface TestRunner {
  describe(name: string, define: () => void): unknown;
  it(name: string, test: () => Promise<void>): unknown;
}

/** Defines a test of one part of what `open` opens, such as the keys of a store. */
export type DefineTest<Subject> = (name: string, test: (subject: Subject) => Promise<void>) => void;
