import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { expect } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../docs/screenshots', import.meta.url));
const SCHEMES = ['light', 'dark'] as const;
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

/**
 * Checks a page on a phone and on a desktop, light and dark: nothing is wider than the screen, and axe reports no
 * violations. UPDATE_SCREENSHOTS=1 saves screenshots.
 */
export async function lookAt(page: Page, name: string): Promise<void> {
  await page.evaluate(axe.source);
  for (const [device, size] of Object.entries(SIZES)) {
    await page.setViewportSize(size);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
      size.width,
    );
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      expect({ name, device, colorScheme, violations: await listViolations(page) }).toMatchObject({
        violations: [],
      });
      if (process.env.UPDATE_SCREENSHOTS === '1') {
        mkdirSync(FOLDER, { recursive: true });
        // Few colours keep the files small.
        await sharp(await page.screenshot({ fullPage: true }))
          .png({ palette: true, colours: 32, dither: 0, effort: 7 })
          .toFile(`${FOLDER}/${name}-${device}-${colorScheme}.png`);
      }
    }
  }
}

function listViolations(page: Page): Promise<string[]> {
  return page.evaluate(`axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(', ')))`);
}
