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
    async function aliceGivesHerPassword(): Promise<void> {
      await visitor.page.goto('/');
      await visitor.givePassword('alice', 'wonderland');
      await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
    }

    test('the virtual key types into the focused field and submits it: signed in, a replay refused', async () => {
      const { page } = visitor;
      await aliceGivesHerPassword();
      expect(await page.locator('#otp:focus').count()).toBe(1);
      await visitor.press('Touch alice’s YubiKey');
      await visitor.waitForPage('/account', 'Hello, alice');

      await visitor.signOut();
      await aliceGivesHerPassword();
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

    test('a new account adds the fresh key, and can print its recovery codes', async () => {
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

    async function comeToTheSecondStep(): Promise<void> {
      await visitor.signOut();
      await visitor.givePassword('bob', PASSWORD);
      await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
    }

    /** Lets what is sent wait, and hears what the page says meanwhile. */
    async function holdAnswers() {
      const { page } = visitor;
      let sent = 0;
      let letGo = () => {};
      const released = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      await page.route('**/login/yubikey', async (route) => {
        if (route.request().method() === 'POST') {
          sent += 1;
          await released;
        }
        await route.continue();
      });
      const words: string[] = [];
      page.on('console', (message) => words.push(message.text()));
      await page.evaluate(`{
        const word = document.querySelector('#otp-word');
        new MutationObserver(() => console.info(word.textContent)).observe(word, { childList: true });
      }`);
      return { letGo, words, sent: () => sent };
    }

    test('while the cursor is nowhere, or on a link, lands in the field', async () => {
      for (const elsewhere of ['h1', 'a:has-text("Key lost?")']) {
        await comeToTheSecondStep();
        if (elsewhere === 'h1') await visitor.page.locator(elsewhere).click();
        else await visitor.page.locator(elsewhere).focus();
        expect(await visitor.page.locator('#otp:focus').count()).toBe(0);
        await visitor.touch(key);
        await visitor.waitForPage('/account', 'Hello, bob');
      }
    });

    test('while the cursor is in another field lands in its own, and that one keeps what it had', async () => {
      const { page } = visitor;
      await page.goto('/account/keys/add');
      await page.getByLabel('Name', { exact: true }).fill('In the safe');
      // A person has moved a hand from the keyboard to the key by then.
      await page.waitForTimeout(400);
      await visitor.touch(await world.newKey());
      await visitor.waitForPage('/account/recovery-codes', 'Recovery codes');
      await visitor.follow('Keys');
      await visitor.waitForPage('/account/keys', 'Your keys');
      await visitor.waitForText('In the safe');
      await visitor.expectNoOtp();
    });

    test('of which only a part arrived is not sent, and the page says what to do', async () => {
      await comeToTheSecondStep();
      const { sent } = await holdAnswers();
      await visitor.type(key.press().slice(0, 20));
      await visitor.waitForText('Only a part arrived. Touch the key again');
      expect(await visitor.page.locator('#otp').inputValue()).toBe('');
      expect(await visitor.page.locator('#otp:focus').count()).toBe(1);
      expect(sent()).toBe(0);
      await visitor.page.unrouteAll();
      await visitor.touch(key);
      await visitor.waitForPage('/account', 'Hello, bob');
    });

    test('through another keyboard layout is told, and read all the same', async () => {
      await comeToTheSecondStep();
      const { letGo, words } = await holdAnswers();
      const DVORAK = Object.fromEntries([...'cbdefghijklnrtuv'].map((c, i) => [c, 'jxe.uidchtnbpygk'[i]]));
      await visitor.type([...key.press()].map((letter) => DVORAK[letter]).join(''));
      letGo();
      await visitor.waitForPage('/account', 'Hello, bob');
      expect(words.join()).toContain('Your keyboard has another layout');
    });

    test('that no layout explains is refused with a helpful word', async () => {
      await comeToTheSecondStep();
      await visitor.type('0'.repeat(44));
      await visitor.waitForRefusal('switch it to English (US)');
    });

    test('right after another, which is still checked, is not sent', async () => {
      await comeToTheSecondStep();
      const { letGo, words, sent } = await holdAnswers();
      await visitor.touch(key);
      await visitor.touch(key);
      letGo();
      await visitor.waitForPage('/account', 'Hello, bob');
      expect(sent()).toBe(1);
      expect(words).toContain('Checking…');
    });

    test('is not on the page that somebody goes back to', async () => {
      await comeToTheSecondStep();
      await visitor.touch(key);
      await visitor.waitForPage('/account', 'Hello, bob');
      await visitor.page.goBack();
      await visitor.expectNoOtp();
      expect(await visitor.page.locator('#otp').inputValue()).toBe('');
    });

    test('comes first in the order of the keyboard, and then what is next to it', async () => {
      await comeToTheSecondStep();
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
