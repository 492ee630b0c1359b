import { expect } from 'vitest';
import type { World } from './application.js';
import type { Visitor } from './visitor.js';

const NAME = 'bob';
const PASSWORD = 'correct horse battery';

export interface LifeHooks {
  /** Called once on every page. */
  look?(page: string): Promise<void>;
  /** Called in the middle. */
  halfway?(): Promise<void>;
}

/** All that a user does with keys, from signing up to losing one, in any browser and with any number of instances. */
export async function lifeOfAKey(
  visitor: Visitor,
  { newKey }: Pick<World, 'newKey'>,
  { look = async () => undefined, halfway = async () => undefined }: LifeHooks = {},
): Promise<void> {
  const { page } = visitor;
  const [key, spare, another] = [await newKey(), await newKey(), await newKey()];
  const inspect = async (name: string) => {
    await visitor.expectNoOtp();
    await look(name);
  };

  await page.goto('/');
  await visitor.waitForPage('/login', 'Sign in');
  await inspect('sign-in');

  await visitor.follow('Make an account');
  await visitor.waitForPage('/sign-up', 'Make an account');
  await inspect('sign-up');
  await visitor.givePassword(' ', PASSWORD);
  await visitor.waitForRefusal('A name must have 1 to 40 visible characters');
  await inspect('sign-up-refused');
  await visitor.givePassword(NAME, PASSWORD);
  await visitor.waitForPage('/account', `Hello, ${NAME}`);
  await visitor.waitForText('protected by its password alone');
  await inspect('account-without-key');

  await visitor.follow('Add a YubiKey');
  await visitor.waitForPage('/account/keys/add', 'Add a key');
  await inspect('add-key');
  await addKey('Blue one', key);
  await visitor.waitForPage('/account/recovery-codes', 'Recovery codes');
  await inspect('recovery-codes');
  await visitor.press('Make recovery codes');
  await visitor.waitForPage('/account/recovery-codes', 'Your new recovery codes');
  const codes = await page.getByRole('listitem').allTextContents();
  expect(codes).toHaveLength(10);
  await inspect('new-recovery-codes');

  await visitor.follow('I have saved them');
  await visitor.waitForPage('/account/keys', 'Your keys');
  await visitor.waitForText('Add a spare');
  await visitor.follow('Add a key');
  await visitor.waitForPage('/account/keys/add', 'Add a key');
  await addKey('In the safe', spare);
  await visitor.waitForPage('/account/keys', 'Your keys');
  await visitor.waitForText(spare.publicId);
  await inspect('keys');
  await visitor.follow('Overview');
  await visitor.waitForPage('/account', `Hello, ${NAME}`);
  await visitor.waitForText('Signed in with both steps');
  await inspect('account');
  await visitor.signOut();

  await visitor.givePassword(NAME, 'a wrong one');
  await visitor.waitForRefusal('do not match');
  await inspect('sign-in-refused');
  await visitor.givePassword(NAME, PASSWORD);
  await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
  await inspect('touch');
  await visitor.touch(await newKey());
  await visitor.waitForRefusal('This one-time password was not accepted. Touch your key again.');
  await inspect('touch-refused');
  await visitor.touch(spare);
  await visitor.waitForPage('/account', `Hello, ${NAME}`);

  await halfway();

  await visitor.follow('Keys');
  await visitor.waitForPage('/account/keys', 'Your keys');
  await visitor.press('Allow a key alone');
  await visitor.waitForText('without the password');
  await visitor.signOut();
  await page.getByLabel('Touch your YubiKey').click();
  await visitor.touch(key);
  await visitor.waitForPage('/account', `Hello, ${NAME}`);
  await visitor.waitForText('Signed in with a key alone');
  await inspect('account-key-alone');
  await visitor.follow('Keys');
  await visitor.waitForPage('/account/keys', 'Your keys');
  await visitor.press('Ask for the password too');
  await visitor.waitForPage('/login', 'Your password again');
  await inspect('password-again');
  await visitor.givePassword(NAME, PASSWORD);
  await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
  await visitor.touch(key);
  await visitor.waitForPage('/account/keys', 'Your keys');
  await visitor.press('Ask for the password too');
  await visitor.waitForText('takes the password and a key');
  await visitor.signOut();

  // The key "Blue one" is lost.
  await visitor.givePassword(NAME, PASSWORD);
  await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
  await visitor.follow('Key lost?');
  await visitor.waitForPage('/login/recovery', 'Key lost?');
  await inspect('recovery');
  await giveCode('0000-0000-0000-0000');
  await visitor.waitForRefusal('This recovery code was not accepted');
  await inspect('recovery-refused');
  await giveCode(codes[3] as string);
  await visitor.waitForPage('/account/keys', 'Your keys');
  await visitor.waitForText('You signed in with a recovery code');
  await inspect('keys-in-recovery');
  await visitor.follow('Remove Blue one');
  await visitor.waitForPage('/account/keys/remove', 'Remove Blue one?');
  await inspect('remove-key');
  await visitor.press('Remove this key');
  await visitor.waitForPage('/account/keys', 'Your keys');
  await visitor.follow('Add a key');
  await visitor.waitForPage('/account/keys/add', 'Add a key');
  await addKey('Green one', another);
  await visitor.waitForPage('/account/keys', 'Your keys');
  await visitor.follow('Activity');
  await visitor.waitForPage('/account/activity', 'Activity');
  for (const words of ['Used a recovery code', 'Removed a key', 'Signed in with a key alone']) {
    await visitor.waitForText(words);
  }
  await inspect('activity');
  await visitor.follow('Overview');
  await visitor.waitForPage('/account', `Hello, ${NAME}`);
  await visitor.signOut();

  await visitor.givePassword(NAME, PASSWORD);
  await visitor.waitForPage('/login/yubikey', 'Touch your YubiKey');
  await visitor.touch(key);
  await visitor.waitForRefusal('not accepted');
  await visitor.touch(another);
  await visitor.waitForPage('/account', `Hello, ${NAME}`);
  await page.goto('/nowhere');
  await visitor.waitForPage('/nowhere', 'Something is not right');
  await inspect('not-found');
  expect(visitor.complaints).toEqual([]);

  async function addKey(name: string, added: typeof key): Promise<void> {
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByLabel('One-time password').click();
    await visitor.touch(added);
  }

  async function giveCode(code: string): Promise<void> {
    await page.getByLabel('Recovery code').fill(code);
    await page.keyboard.press('Enter');
  }
}
