import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { ConfigError, readConfig } from './config.js';
import { openServices } from './services.js';

try {
  await start();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function start(): Promise<void> {
  const config = readConfig(process.env);
  const services = await openServices(config);
  const server = createApp({ config, ...services }).listen(config.port, config.host, (error) => {
    if (error) {
      console.error(`The app cannot listen on ${config.host}, port ${config.port}: ${error.message}`);
      process.exit(1);
    }
    const { port } = server.address() as AddressInfo;
    // On stderr, since stdout is for the audit log.
    console.error(`Example app: http://${config.host}:${port}`);
    console.error(services.demo ? demoGreeting(services.demo) : GREETING);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => server.close(() => void services.close()));
  }
}

const GREETING = `
Sign up, add your YubiKey by touching it, and sign in with your password and a touch of it.`;

const demoGreeting = ({ name, password }: { name: string; password: string }) => `
Demo mode: no hardware and no account is needed.
  1. Sign in as ${name} with the password ${password}.
  2. Touch the virtual YubiKey on the page: it types a one-time password, as a real one does.
  3. See what is refused: the same one-time password again, and a key that is not registered.
  4. Sign up with an account of your own, and add the fresh key to it.`;
