import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { YubikeyError } from 'passport-yubikey-otp';
import { formatApiKey } from 'passport-yubikey-otp/protocol';
import type { ClientStore } from 'passport-yubikey-otp/stores';
import { isUrl } from '../database/database.js';
import { formatClientVariables, newApiKey } from '../database/new-client.js';
import { opensAny, type Secrets } from '../database/session.js';
import { createFile } from '../files/durable-file.js';
import { SetupError } from '../terminal/failure.js';
import { warn } from '../terminal/output.js';

const ID = '1';

/** The client that a first start made, and where its API key is shown. */
export interface FirstClient {
  readonly id: string;
  readonly apiKey: { readonly text: string } | { readonly file: string };
}

/**
 * Makes a first client if there is none, since nobody can ask a validation server without one. Its API key is shown
 * once: on the terminal or, if standard error is not a terminal and may be kept, in a file that only its owner can read.
 *
 * @returns undefined if there are clients already; of several instances that start at once, one makes the client.
 */
export async function makeFirstClient(
  { database: { clients: sealed }, clients }: Secrets,
  where: string,
): Promise<FirstClient | undefined> {
  if ((await sealed.list({ limit: 1 })).records.length > 0) return assertClientsOpen(sealed, clients);
  const apiKey = newApiKey();
  const text = formatApiKey(apiKey);
  const add = () => clients.add({ id: ID, apiKey, notes: 'made by the first start of yubikey-otp serve' });
  if (process.stderr.isTTY)
    return (await add()) ? { id: ID, apiKey: { text } } : assertClientsOpen(sealed, clients);
  // The file comes first: a client whose API key is shown nowhere would be useless and in the way.
  const file = await writeApiKey(
    `${isUrl(where) ? './yubikey-otp' : where}.client-${ID}`,
    formatClientVariables(ID, text),
  );
  if (file === undefined) return undefined;
  let isAdded = false;
  try {
    isAdded = await add();
  } finally {
    if (!isAdded) await rm(file, { force: true });
  }
  return isAdded ? { id: ID, apiKey: { file } } : assertClientsOpen(sealed, clients);
}

/** Instances that start at once in different folders each make a master key; with two master keys, none of them would work. */
async function assertClientsOpen(sealed: ClientStore, clients: ClientStore): Promise<undefined> {
  const unopened: YubikeyError[] = [];
  if (await opensAny(sealed, clients, ({ id }) => id, unopened)) return;
  const [first] = unopened;
  if (!first) return;
  throw new SetupError(
    `No client of this database opens with this master key. ${first.message}. ` +
      'Another instance may have set up the database at the ' +
      'same time, with its own master key: give that master key to all instances, and keep this one until they all run',
  );
}

/** Another instance, or another database in this folder, may have taken the name. */
async function writeApiKey(path: string, text: string): Promise<string | undefined> {
  try {
    for (const name of [path, `${path}.${randomUUID()}`]) if (await createFile(name, text)) return name;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    warn(
      `There is no client, and ${path}, the file for the API key of a first client, cannot be made (${code}): ` +
        'make a client with: yubikey-otp clients new',
    );
  }
  return undefined;
}
