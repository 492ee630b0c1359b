import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { parseOtp, YubikeyError } from 'passport-yubikey-otp';
import { ConfigError, readConfig } from './config.js';
import { openServices, type Services } from './services.js';

/** A mistake of the person at the keyboard. */
class Refusal extends Error {}

try {
  await addUser(process.argv[2]);
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof Refusal)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function addUser(name: string | undefined): Promise<void> {
  if (!name) throw new Refusal('Usage: npm run add-user -- NAME');
  const config = readConfig(process.env);
  if (!config.cloud) throw new Refusal('Demo mode has its own user: set YUBICO_CLIENT_ID and YUBICO_API_KEY');
  const services = await openServices(config);
  const terminal = openTerminal();
  try {
    await register(name, services, terminal.ask);
  } finally {
    terminal.close();
    await services.close();
  }
}

async function register(
  name: string,
  { users, verifier }: Services,
  ask: (question: string) => Promise<string>,
): Promise<void> {
  if (users.byName(name)) throw new Refusal(`There is a user ${name} already`);
  const password = await ask(`Password for ${name}: `);
  if (password.length < 8) throw new Refusal('A password needs at least 8 characters');

  const { publicId } = await touch(verifier, await ask('Touch the YubiKey: '));
  const owner = users.byKey(publicId);
  if (owner) throw new Refusal(`The key ${publicId} belongs to ${owner.name} already`);
  users.giveKey(await users.add(name, password), publicId);
  console.log(`${name} can sign in now, with the key ${publicId}`);
}

/** The key has to be touched here, so that nobody is given a key that is not at hand. */
async function touch(verifier: Services['verifier'], typed: string) {
  try {
    const verification = await verifier.verify(parseOtp(typed));
    if (verification.ok) return verification.identity;
    throw new Refusal(`The one-time password was not accepted: ${verification.reason}`);
  } catch (error) {
    if (error instanceof YubikeyError) throw new Refusal(error.message);
    throw error;
  }
}

/** Asks without showing what is typed. Where there is no terminal, each answer is a line of the input. */
function openTerminal() {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: process.stdin.isTTY });
  const lines = reader[Symbol.asyncIterator]();
  return {
    async ask(question: string): Promise<string> {
      process.stderr.write(question);
      const { value } = await lines.next();
      process.stderr.write('\n');
      return value ?? '';
    },
    close: () => reader.close(),
  };
}
