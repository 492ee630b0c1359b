import type { SoftYubikey } from 'passport-yubikey-otp/testing';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeWith } from '../../test/support/programs.js';
import { openListening } from './support/application.js';
import { launchChromium, Visitor } from './support/visitor.js';

const PASSWORD = 'correct horse battery';

describeWith('in a real browser', ['chromium'], () => {
  let browser: Browser;
  let world: Awaited<ReturnType<typeof openListening>>;
  let visitor: Visitor;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    world = await openListening();
    visitor = await Visitor.open(browser, world.url);
  });
  afterEach(async () => {
    await visitor.close();
    await world.close();
    expect(visitor.complaints).toEqual([]);
  });

  describe('the demo panel', () => {
    async function givePasswordAsAlice(): Promise<void> {
      await visitor.page.goto('/');
      await visitor.givePassword('alice', 'wonderland');
      await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
    }

    test('the virtual key types into the focused field and signs in; a replay and a stranger’s key do not', async () => {
      const { page } = visitor;
      await givePasswordAsAlice();
      expect(await page.locator('#otp:focus').count()).toBe(1);
      await visitor.press('Touch alice’s YubiKey');
      await visitor.waitForPage('/account', 'Hello, alice');

      await visitor.signOut();
      await givePasswordAsAlice();
      for (const refused of ['Replay the last touch', 'Touch a stranger’s key']) {
        const answer = page.waitForResponse(
          (response) => response.request().method() === 'POST' && response.url().endsWith('/login/yubikey'),
        );
        await visitor.press(refused);
        expect((await answer).status()).toBe(401);
        await visitor.waitForRefusal('not accepted');
      }
      await page.goto('/account');
      expect(page.url()).toContain('/login/yubikey');
    });

    test('a new account can add the fresh key and print its recovery codes', async () => {
      const { page } = visitor;
      await page.goto('/sign-up');
      await visitor.givePassword('bob', PASSWORD);
      await visitor.follow('Add a YubiKey');
      await visitor.waitForPage('/account/keys/add', 'Add a key');
      await page.getByLabel('Name', { exact: true }).fill('Blue one');
      await visitor.press('Touch a fresh key');
      await visitor.waitForPage('/account/recovery-codes', 'Recovery codes');
      await visitor.press('Make recovery codes');
      await page.getByRole('button', { name: 'Print this page' }).waitFor();
      await visitor.signOut();
      await visitor.givePassword('bob', PASSWORD);
      await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
      await visitor.press('Touch bob’s Blue one');
      await visitor.waitForPage('/account', 'Hello, bob');
    });
  });

  describe('a touch', () => {
    let key: SoftYubikey;

    beforeEach(async () => {
      const { page } = visitor;
      key = await world.newKey();
      await page.goto('/sign-up');
      await visitor.givePassword('bob', PASSWORD);
      await visitor.follow('Add a YubiKey');
      await page.getByLabel('One-time password').click();
      await visitor.touch(key);
      await visitor.waitForPage('/account/recovery-codes', 'Recovery codes');
    });

    async function openSecondStep(): Promise<void> {
      await visitor.signOut();
      await visitor.givePassword('bob', PASSWORD);
      await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
    }

    /** Delays requests until `release`, and records the hints that the page shows meanwhile. */
    async function holdRequests() {
      const { page } = visitor;
      let sent = 0;
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      await page.route('**/login/yubikey', async (route) => {
        if (route.request().method() === 'POST') {
          sent += 1;
          await released;
        }
        await route.continue();
      });
      const hints: string[] = [];
      page.on('console', (message) => hints.push(message.text()));
      await page.evaluate(`{
        const hint = document.querySelector('#otp-hint');
        new MutationObserver(() => console.info(hint.textContent)).observe(hint, { childList: true });
      }`);
      return { release, hints, sent: () => sent };
    }

    test('lands in the field while the cursor is in no field or on a link', async () => {
      for (const elsewhere of ['h1', 'a:has-text("Key lost?")']) {
        await openSecondStep();
        if (elsewhere === 'h1') await visitor.page.locator(elsewhere).click();
        else await visitor.page.locator(elsewhere).focus();
        expect(await visitor.page.locator('#otp:focus').count()).toBe(0);
        await visitor.touch(key);
        await visitor.waitForPage('/account', 'Hello, bob');
      }
    });

    test('lands in its own field while the cursor is in another one, which keeps its content', async () => {
      const { page } = visitor;
      await page.goto('/account/keys/add');
      await page.getByLabel('Name', { exact: true }).fill('In the safe');
      // The time a person needs to move a hand from the keyboard to the key.
      await page.waitForTimeout(400);
      await visitor.touch(await world.newKey());
      await visitor.waitForPage('/account/recovery-codes', 'Recovery codes');
      await visitor.follow('Keys');
      await visitor.waitForPage('/account/keys', 'Your keys');
      await visitor.waitForText('In the safe');
      await visitor.expectNoOtp();
    });

    test('that arrived only in part is not sent, and the page says what to do', async () => {
      await openSecondStep();
      const { sent } = await holdRequests();
      await visitor.type(key.press().slice(0, 20));
      await visitor.waitForText('Only part of it arrived. Touch the key again');
      expect(await visitor.page.locator('#otp').inputValue()).toBe('');
      expect(await visitor.page.locator('#otp:focus').count()).toBe(1);
      expect(sent()).toBe(0);
      await visitor.page.unrouteAll();
      await visitor.touch(key);
      await visitor.waitForPage('/account', 'Hello, bob');
    });

    test('typed with another keyboard layout is accepted, and the page mentions the layout', async () => {
      await openSecondStep();
      const { release, hints } = await holdRequests();
      const DVORAK = Object.fromEntries([...'cbdefghijklnrtuv'].map((c, i) => [c, 'jxe.uidchtnbpygk'[i]]));
      await visitor.type([...key.press()].map((letter) => DVORAK[letter]).join(''));
      release();
      await visitor.waitForPage('/account', 'Hello, bob');
      expect(hints.join()).toContain('Your keyboard layout differs');
    });

    test('that no keyboard layout explains is refused with a hint', async () => {
      await openSecondStep();
      await visitor.type('0'.repeat(44));
      await visitor.waitForRefusal('switch it to English (US)');
    });

    test('is not sent while an earlier one is still being checked', async () => {
      await openSecondStep();
      const { release, hints, sent } = await holdRequests();
      await visitor.touch(key);
      await visitor.touch(key);
      release();
      await visitor.waitForPage('/account', 'Hello, bob');
      expect(sent()).toBe(1);
      expect(hints).toContain('Checking…');
    });

    test('is not shown after going back to the page', async () => {
      await openSecondStep();
      await visitor.touch(key);
      await visitor.waitForPage('/account', 'Hello, bob');
      await visitor.page.goBack();
      await visitor.expectNoOtp();
      expect(await visitor.page.locator('#otp').inputValue()).toBe('');
    });

    test('comes first in the tab order, followed by the elements below it', async () => {
      await openSecondStep();
      const order = ['otp'];
      for (let press = 0; press < 3; press += 1) {
        await visitor.page.keyboard.press('Tab');
        order.push((await visitor.page.locator(':focus').textContent()) ?? '');
      }
      expect(order).toEqual(['otp', 'Continue', 'Key lost?', 'Start over']);
      expect(await visitor.page.getByLabel('One-time password').getAttribute('autocomplete')).toBe(
        'one-time-code',
      );
    });
  });
});
