/** What the person at the keyboard has to change: how the command was called, or what surrounds it. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}

/** What the command was asked for and could not do, though it was called as it should be. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

export const EXIT = { done: 0, refused: 1, setup: 2 } as const;
