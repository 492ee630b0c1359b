import type { SoftYubikey } from 'passport-yubikey-otp/testing';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { findProgram } from '../../../test/support/programs.js';

/** Keeps Chromium from making network requests of its own at the start. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-lcd-text',
];

const REPORT_VIOLATIONS = `document.addEventListener('securitypolicyviolation', (event) =>
  console.error('Content-Security-Policy', event.violatedDirective, event.blockedURI))`;

export async function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findProgram('chromium') as string, args: QUIET });
}

/** A user of a real browser, with YubiKeys that type into it like keyboards. */
export class Visitor {
  /** Errors that the browser reported about the pages. Tests expect none. */
  readonly complaints: string[] = [];
  readonly #typed: string[] = [];
  readonly #addresses: string[] = [];

  private constructor(readonly page: Page) {
    page.setDefaultTimeout(60_000);
    page.on('console', (message) => {
      const isStatus = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && !isStatus) this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('request', (request) => this.#addresses.push(request.url()));
  }

  static async open(
    browser: Browser,
    baseURL: string,
    options: BrowserContextOptions = {},
  ): Promise<Visitor> {
    const context = await browser.newContext({ baseURL, locale: 'en-GB', timezoneId: 'UTC', ...options });
    await context.addInitScript({ content: REPORT_VIOLATIONS });
    return new Visitor(await context.newPage());
  }

  close(): Promise<void> {
    return this.page.context().close();
  }

  /** Touches a key: it types wherever the cursor is, and ends with Enter. */
  touch(key: Pick<SoftYubikey, 'press'>): Promise<void> {
    return this.type(key.press());
  }

  async type(otp: string): Promise<void> {
    this.#typed.push(otp);
    // The cursor is in the field only once the page is loaded, later than its text is visible.
    await this.page.waitForLoadState('load');
    await this.page.keyboard.type(otp);
    await this.page.keyboard.press('Enter');
  }

  async givePassword(name: string, password: string): Promise<void> {
    await this.page.getByLabel('User name').fill(name);
    await this.page.getByLabel('Password').fill(password);
    await this.page.keyboard.press('Enter');
  }

  follow(link: string): Promise<void> {
    return this.page.getByRole('link', { name: link }).first().click();
  }

  press(button: string): Promise<void> {
    return this.page.getByRole('button', { name: button }).click();
  }

  async signOut(): Promise<void> {
    await this.press('Sign out');
    await this.waitForPage('/login', 'Sign in');
  }

  /** Waits for a page, by its address and its heading. */
  async waitForPage(path: string, heading: string): Promise<void> {
    try {
      await this.page.waitForURL(({ pathname }) => pathname === path);
      await this.page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
    } catch (cause) {
      const texts = await this.page.locator('h1, [role=alert], [role=status]').allInnerTexts();
      const message = `Expected ${path}, "${heading}", but ${this.page.url()} shows: ${texts.join(' | ')}`;
      throw new Error(message, { cause });
    }
  }

  async waitForRefusal(words: string): Promise<void> {
    await this.page.getByRole('alert').filter({ hasText: words }).waitFor();
    expect(await this.page.title()).toMatch(/^Error: /);
  }

  async waitForText(words: string): Promise<void> {
    await this.page.getByText(words).first().waitFor();
  }

  /** Expects no typed OTP to be left on the page or in a URL. */
  async expectNoOtp(): Promise<void> {
    const values = await this.page
      .locator('input')
      .evaluateAll((inputs) => inputs.map((input) => (input as unknown as { value: string }).value));
    const left = [await this.page.content(), ...values, ...this.#addresses].join('\n');
    for (const otp of this.#typed) expect(left).not.toContain(otp);
  }
}
