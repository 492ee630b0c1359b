import type { SoftYubikey } from 'passport-yubikey-otp/testing';
import { type Browser, submit, submitOtp, submitPassword, type World } from './application.js';

const PASSWORD = 'correct horse battery';
let people = 0;

/** A user with an account and a browser. */
export class Person {
  readonly password = PASSWORD;

  readonly name: string;
  readonly browser: Browser;
  readonly #world: World;

  constructor(world: World, name: string, browser: Browser) {
    this.#world = world;
    this.name = name;
    this.browser = browser;
  }

  static async signUp(world: World, name = `person ${++people} ${Date.now()}`): Promise<Person> {
    const browser = world.openBrowser();
    const response = await submit(browser, '/sign-up', { username: name, password: PASSWORD });
    expectLocation(response, '/account');
    return new Person(world, name, browser);
  }

  /** Signs up and adds one key. */
  static async signUpWithKey(world: World): Promise<{ person: Person; key: SoftYubikey }> {
    const person = await Person.signUp(world);
    const key = await world.newKey();
    expectLocation(await person.addKey(key), '/account/recovery-codes');
    return { person, key };
  }

  addKey(key: SoftYubikey, name = 'A key') {
    return submit(this.browser, '/account/keys/add', { name, otp: key.press() });
  }

  removeKey({ publicId }: SoftYubikey) {
    return submit(
      this.browser,
      `/account/keys/remove?key=${publicId}`,
      { key: publicId },
      '/account/keys/remove',
    );
  }

  /** The same person in another browser, after the password. */
  async elsewhere(): Promise<Person> {
    const person = new Person(this.#world, this.name, this.#world.openBrowser());
    await submitPassword(person.browser, this.name, this.password);
    return person;
  }

  touch(key: Pick<SoftYubikey, 'press'>) {
    return submitOtp(this.browser, key.press());
  }

  async signInElsewhere(key: SoftYubikey): Promise<Person> {
    const person = await this.elsewhere();
    expectLocation(await person.touch(key), '/account');
    return person;
  }

  async newCodes(): Promise<string[]> {
    const { text } = await submit(this.browser, '/account/recovery-codes', {});
    return [...text.matchAll(/<li><code>([\w-]+)<\/code>/g)].map(([, code]) => code as string);
  }

  giveCode(code: string) {
    return submit(this.browser, '/login/recovery', { code });
  }

  sessionCookie(): string {
    const access = { domain: '127.0.0.1', path: '/', secure: false, script: false };
    const cookie = this.browser.jar.getCookie('session', access as never);
    if (!cookie) throw new Error('There is no session cookie');
    return cookie.value;
  }

  /** The page that a page redirects to; undefined if it is shown. */
  async redirectFrom(page: string): Promise<string | undefined> {
    const response = await this.browser.get(page);
    if (response.status !== 200 && response.status !== 302) throw new Error(`${page}: ${response.status}`);
    return response.headers.location;
  }

  async text(page: string): Promise<string> {
    return (await this.browser.get(page).expect(200)).text;
  }
}

type Response = Awaited<ReturnType<typeof submit>>;

function expectLocation({ status, headers, text }: Response, location: string): void {
  if (headers.location !== location) {
    throw new Error(`Expected a redirect to ${location}, but got ${status} ${headers.location ?? text}`);
  }
}
