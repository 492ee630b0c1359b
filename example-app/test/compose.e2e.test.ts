import { readFileSync } from 'node:fs';
import { validate } from 'dockerfile-utils';
import supertest from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeWith } from '../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../test/support/servers/postgres.js';
import { RedisServer } from '../../test/support/servers/redis.js';
import { readConfig } from '../src/config.js';
import { Instance } from './support/instance.js';
import { ValidationServer } from './support/validation-server.js';

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const compose = parse(read('compose.yaml'), { strict: true, uniqueKeys: true });
const dockerfile = read('Dockerfile');

/** The container's environment, with the given values for its variables. */
function containerEnvironment(values: Record<string, string>): Record<string, string> {
  const names: string[] = Object.keys(compose.services.app.environment);
  return Object.fromEntries([...names.map((name) => [name, values[name] ?? '']), ['NODE_ENV', 'production']]);
}

test('the Dockerfile is valid, and runs the app, not as root', () => {
  expect(validate(dockerfile)).toEqual([]);
  expect(dockerfile).toMatch(/^USER node$/m);
  expect(dockerfile).toContain('NODE_ENV=production');
  const command = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '') as string[];
  expect(read(command.at(-1) as string)).toContain('createApp');
});

test('compose.yaml refers only to services, volumes and settings that exist', () => {
  const { services, volumes } = compose;
  for (const service of Object.values<Record<string, unknown>>(services)) {
    const needs = service.depends_on ?? [];
    const needed = Array.isArray(needs) ? needs : Object.keys(needs as object);
    for (const name of needed) expect(Object.keys(services)).toContain(name);
    for (const volume of (service.volumes ?? []) as string[]) {
      expect(Object.keys(volumes)).toContain(volume.split(':')[0]);
    }
    expect(service.image ?? service.build).toBeDefined();
  }
  const { environment, build } = services.app;
  expect(build).toEqual({ context: '..', dockerfile: 'example-app/Dockerfile' });
  expect(new URL(environment.REDIS_URL).hostname).toBe('redis');
  expect(new URL(environment.DATABASE_URL.replace(/\$\{.*?\}/, 'x')).hostname).toBe('postgres');
  expect(JSON.stringify(services)).not.toMatch(/PASSWORD":"(?!\$)|SECRET":"(?!\$)/);
});

test('compose.yaml sets every variable that the app needs', () => {
  const config = readConfig(
    containerEnvironment({
      DATABASE_URL: 'postgres://app:x@postgres:5432/app',
      REDIS_URL: 'redis://redis:6379',
      SESSION_SECRET: 'x'.repeat(32),
      YUBICO_CLIENT_ID: '87',
      YUBICO_API_KEY: 'AAAA',
    }),
  );
  expect(config).toMatchObject({ production: true, redisUrl: 'redis://redis:6379' });
});

describeWith('the same setup without containers', ['redis-server', ...missingPostgres], () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let validation: ValidationServer;
  let instances: Instance[];

  beforeAll(async () => {
    [postgres, redis, validation] = await Promise.all([
      PostgresServer.start(),
      RedisServer.start(['--appendonly', 'yes']),
      ValidationServer.start(),
    ]);
    const environment = containerEnvironment({
      ...validation.environment,
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      SESSION_SECRET: 'x'.repeat(32),
    });
    const { YUBIKEY_SERVERS } = validation.environment;
    const start = () => Instance.start({ ...environment, YUBIKEY_SERVERS });
    instances = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    await Promise.all(instances?.map((instance) => instance.end('SIGTERM')) ?? []);
    validation?.stop();
    await Promise.all([postgres?.stop(), redis?.stop()]);
  });

  test('behind a TLS proxy, a user who signs up at one instance is signed in at the other', async () => {
    const [one, other] = instances.map(({ port }) => supertest(`http://127.0.0.1:${port}`));
    const secure = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '192.0.2.7' };
    const page = await one?.get('/sign-up').set(secure).expect(200);
    const cookie = String(page?.headers['set-cookie']?.[0]).split(';')[0] as string;
    const _csrf = /name="_csrf" value="(\w+)"/.exec(page?.text ?? '')?.[1];
    const signedUp = await other
      ?.post('/sign-up')
      .set({ ...secure, Cookie: cookie })
      .type('form')
      .send({ _csrf, username: 'carol', password: 'correct horse battery' })
      .expect('Location', '/account');
    expect(signedUp?.headers['set-cookie']?.[0]).toContain('Secure');
    const signedIn = String(signedUp?.headers['set-cookie']?.[0]).split(';')[0] as string;
    const activity = await one?.get('/account/activity').set({ ...secure, Cookie: signedIn });
    expect(activity?.text).toContain('192.0.2.7');
  });
});
