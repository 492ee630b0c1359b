import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pressUnknownKey, Recipe } from '../support/recipes/recipe.js';

const MINUTE = 60 * 1000;

describe('the recipe for API clients', () => {
  const recipe = new Recipe('api-clients');
  const { alice, bob, stray, fault } = recipe.keys;
  beforeAll(() => recipe.start());
  afterAll(() => recipe.stop());

  const deploy = (otp: string) =>
    recipe.browser().post('/deployments').set('Authorization', `OTP ${otp}`).send({ version: '1.4.0' });
  const exchange = (otp: string) => recipe.browser().post('/token').set('Authorization', `OTP ${otp}`);
  const list = (token: string) =>
    recipe.browser().get('/deployments').set('Authorization', `Bearer ${token}`);
  const obtainToken = async (otp: string): Promise<string> => {
    const { body } = await exchange(otp).expect(200).expect('Cache-Control', 'no-store');
    return body.access_token;
  };

  it('serves one request for an OTP, and sets no cookie', async () => {
    const otp = alice.press();
    const response = await deploy(otp).expect(201, { by: 'alice', version: '1.4.0' });
    expect(response.headers).not.toHaveProperty('set-cookie');
    await deploy(otp).expect(401);
  });

  it.each([
    ['a key that the verifier does not know', pressUnknownKey(), 401],
    ['a key that no user has', stray.press(), 401],
    ['text that is not an OTP', 'hello', 400],
    ['an empty OTP', '', 400],
  ])('refuses %s', async (_what, otp, status) => {
    await deploy(otp).expect(status);
    await exchange(otp).expect(status);
  });

  it('reads the OTP only from the Authorization header', async () => {
    const otp = alice.press();
    await recipe.browser().post(`/deployments?otp=${otp}`).send({ otp }).expect(400);
    await deploy(otp).expect(201);
  });

  it('answers 503 when the verifier fails', async () => {
    await deploy(fault.press()).expect(503, { code: 'VERIFIER_FAILED' });
    await exchange(fault.press()).expect(503);
  });

  it('exchanges an OTP for one token, good for many requests', async () => {
    const otp = alice.press();
    const token = await obtainToken(otp);
    await list(token).expect(200, { seenBy: 'alice' });
    await list(token).expect(200, { seenBy: 'alice' });
    await exchange(otp).expect(401);
  });

  it('refuses a token that it did not issue, and an OTP in place of a token', async () => {
    await list('hello').expect(401).expect('WWW-Authenticate', 'Bearer');
    await recipe.browser().get('/deployments').expect(401);
    await recipe.browser().get('/deployments').set('Authorization', `OTP ${alice.press()}`).expect(401);
    await deploy(await obtainToken(alice.press())).expect(400);
  });

  it('refuses a token after fifteen minutes', async () => {
    const token = await obtainToken(alice.press());
    await recipe.later(14 * MINUTE);
    await list(token).expect(200);
    await recipe.later(2 * MINUTE);
    await list(token).expect(401);
  });

  it('revokes all tokens of a user, and of no other user', async () => {
    const [first, second, other] = [
      await obtainToken(alice.press()),
      await obtainToken(alice.press()),
      await obtainToken(bob.press()),
    ];
    await recipe.browser().delete('/token').set('Authorization', `Bearer ${first}`).expect(204);
    await list(first).expect(401);
    await list(second).expect(401);
    await list(other).expect(200, { seenBy: 'bob' });
  });

  it('prints no OTP', async () => {
    const otp = fault.press();
    await deploy(otp).expect(503);
    expect(recipe.output).toContain('The verifier failed');
    expect(recipe.output).not.toContain(otp.slice(-32));
  });
});
