import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeWith } from '../../test/support/programs.js';
import { missingPostgres } from '../../test/support/servers/postgres.js';
import { openListening } from './support/application.js';
import { type LifeHooks, lifeOfAKey } from './support/life-of-a-key.js';
import { lookAt } from './support/looks.js';
import { startTwoInstances } from './support/two-instances.js';
import { launchChromium, Visitor } from './support/visitor.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

describeWith('the life of a key in a real browser', ['chromium'], () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  async function live(
    world: Awaited<ReturnType<typeof openListening>>,
    options: BrowserContextOptions,
    watched: (visitor: Visitor) => LifeHooks = () => ({}),
  ): Promise<void> {
    const visitor = await Visitor.open(browser, world.url, options);
    try {
      await lifeOfAKey(visitor, world, watched(visitor));
      expect(visitor.complaints).toEqual([]);
    } finally {
      await visitor.close();
      await world.close();
    }
  }

  test('every page passes axe on a phone and on a desktop, light and dark', async () => {
    await live(await openListening(), {}, ({ page }) => ({ look: (name) => lookAt(page, name) }));
  });

  test('without scripts', async () => {
    await live(await openListening(), { javaScriptEnabled: false });
  });

  describeWith('two instances', ['redis-server', ...missingPostgres], () => {
    test('one of which is killed in the middle', async () => {
      const world = await startTwoInstances();
      await live(world, {}, () => ({ halfway: () => world.killOne() }));
    });
  });
});
