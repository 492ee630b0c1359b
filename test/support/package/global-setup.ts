import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { Machine, ROOT } from './machine.js';
import { Registry } from './registry.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the registry that both packages are published to. */
    registry: string;
    /** Output of npm when they were published. */
    published: string;
    /** Path of the command as npm has installed it from the registry. */
    command: string;
  }
}

/** Publishes both packages to a temporary registry, and installs the command from it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const registry = await Registry.start();
  const machine = new Machine(registry.url);
  let published = '';
  for (const folder of [ROOT, join(ROOT, 'cli')]) {
    // The npm script that runs these tests has built them.
    const { stdout, stderr } = await machine.npm(folder, ['publish', '--ignore-scripts']);
    published += stdout + stderr;
  }
  const folder = machine.newProject('installed');
  await machine.npm(folder, ['install', 'yubikey-otp']);
  project.provide('registry', registry.url);
  project.provide('published', published);
  project.provide('command', join(folder, 'node_modules/.bin/yubikey-otp'));
  return async () => {
    await machine.remove();
    await registry.stop();
  };
}
