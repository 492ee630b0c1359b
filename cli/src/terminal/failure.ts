/** The user has to change how the command is called, or its environment. Exit code 2. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}

/** The command was called correctly, but refused or did not find something. Exit code 1. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

export const EXIT = { done: 0, refused: 1, setup: 2 } as const;
