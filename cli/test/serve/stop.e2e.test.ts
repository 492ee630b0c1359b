import { once } from 'node:events';
import { Agent, request as startRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/command.js';
import { type Service, serve } from '../support/serve/service.js';

const OTP = 'cccccccccccbcccccccccccccccccccccccccccccccc';
const PATH = `/wsapi/2.0/verify?id=1&otp=${OTP}&nonce=1234567890123456`;

interface Answered {
  status: number | undefined;
  connection: string | undefined;
  body: string;
}

function ask(url: string, agent: Agent): Promise<Answered> {
  return new Promise((resolve, reject) => {
    startRequest(url, { agent }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode, connection: response.headers.connection, body });
      });
      response.on('error', reject);
    })
      .on('error', reject)
      .end();
  });
}

/** A connection on which a request has begun and does not end: its body is missing. */
async function beginRequest(service: Service): Promise<Socket> {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const headers = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n';
  socket.write(`POST /wsapi/2.0/verify HTTP/1.1\r\nHost: localhost\r\n${headers}\r\nid=1`);
  await sleep(300);
  return socket;
}

describe('SIGTERM', () => {
  it('loses no request that the service has accepted, under load', async () => {
    const service = await serve([], { cwd: temporaryFolder() });
    const agents = [new Agent({ keepAlive: true, maxSockets: 20 }), new Agent({ keepAlive: false })];
    const lost: unknown[] = [];
    let answered = 0;
    let isOver = false;
    const client = async (agent: Agent) => {
      while (!isOver) {
        try {
          const { status, body } = await ask(service.url + PATH, agent);
          if (status !== 200 || !body.includes('status=BAD_OTP')) lost.push(body);
          answered += 1;
        } catch (error) {
          isOver = true;
          // Nobody took this one.
          if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') lost.push(error);
        }
      }
    };
    const clients = Array.from({ length: 40 }, (_, at) => client(agents[at % 2] as Agent));
    await sleep(1000);
    const { code } = await service.stop();
    isOver = true;
    await Promise.all(clients);
    for (const agent of agents) agent.destroy();
    expect(lost).toEqual([]);
    expect(code).toBe(0);
    expect(answered).toBeGreaterThan(20);
    const lines = service.lines.filter(({ msg }) => msg === 'verification');
    expect(lines).toHaveLength(answered);
    expect(service.lines.at(-1)).toMatchObject({ msg: 'stopped' });
  });

  it('turns /ready to 503, ends connections with their answer, and lets requests end', async () => {
    const service = await serve([], { cwd: temporaryFolder() });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const idle = new Agent({ keepAlive: true, maxSockets: 1 });
    const begun = await beginRequest(service);
    expect(await ask(`${service.url}/ready`, agent)).toMatchObject({ status: 200, connection: 'keep-alive' });
    await ask(`${service.url}/ready`, idle);
    service.child.kill('SIGTERM');
    await service.line({ msg: 'stopping' });
    expect(await ask(`${service.url}/ready`, agent)).toMatchObject({ status: 503, connection: 'close' });
    await expect(ask(`${service.url}/ready`, agent)).rejects.toMatchObject({ code: 'ECONNREFUSED' });

    await sleep(1500);
    begun.write('&otp=');
    const [answer] = await once(begun, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 OK\r\n.*Connection: close\r\n.*status=/s);
    expect((await service.ended).code).toBe(0);
    agent.destroy();
    idle.destroy();
  });

  it('ends the process at once the second time', async () => {
    const service = await serve([], { cwd: temporaryFolder() });
    const begun = await beginRequest(service);
    service.child.kill('SIGTERM');
    await service.line({ msg: 'stopping' });
    await sleep(1500);
    expect(service.child.exitCode).toBeNull();
    const startedAt = performance.now();
    expect((await service.stop()).code).toBe(1);
    expect(performance.now() - startedAt).toBeLessThan(1000);
    begun.destroy();
  });

  it('waits for no request longer than about ten seconds', async () => {
    const service = await serve([], { cwd: temporaryFolder() });
    const begun = await beginRequest(service);
    const startedAt = performance.now();
    expect((await service.stop('SIGINT')).code).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(14_000);
    begun.destroy();
  });
});
