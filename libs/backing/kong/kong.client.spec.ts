import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Test, type TestingModule } from '@nestjs/testing';
import { AppConfig, parseConfig } from '@kernel/config';
import { KongClient } from './kong.client';
import { KongHealth } from './kong.health';
import { KongModule } from './kong.module';

/**
 * Kong itself does not run here: this speaks what Kong 3.9 documents of its status listener: `GET /status/ready` answers 200 `{"message":"ready"}`
 * or 503 with the reason.
 */
class StatusListener {
  asked: string[] = [];
  connections = 0;
  answer: RequestListener = (_request, answer) => void answer.writeHead(200, JSON_TYPE).end('{"message":"ready"}');
  private server?: Server;

  async start(): Promise<string> {
    this.server = createServer((request, answer) => {
      this.asked.push(`${request.method} ${request.url}`);
      this.answer(request, answer);
    });
    this.server.on('connection', () => (this.connections += 1));
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve) ?? resolve(undefined));
  }
}

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

function kongAt(statusUrl: string | undefined): Promise<TestingModule> {
  const config = { provide: AppConfig, useValue: parseConfig({ KONG_STATUS_URL: statusUrl }) };
  return Test.createTestingModule({ imports: [{ module: Settings, global: true, providers: [config], exports: [AppConfig] }, KongModule] })
    .compile()
    .then((module) => module.init());
}

class Settings {}

describe('KongClient', () => {
  let listener: StatusListener;
  let module: TestingModule;

  beforeEach(async () => {
    listener = new StatusListener();
    module = await kongAt(`${await listener.start()}/`);
  });

  afterEach(async () => {
    await module.close();
    await listener.stop();
  });

  it('asks the status listener over one kept connection', async () => {
    const client = module.get(KongClient, { strict: false });
    for (let call = 0; call < 5; call += 1) await client.ready();
    expect(listener.asked).toEqual(Array.from({ length: 5 }, () => 'GET /status/ready'));
    expect(listener.connections).toBe(1);
  });

  it('tells why the gateway is not ready', async () => {
    listener.answer = (_request, answer) => void answer.writeHead(503, JSON_TYPE).end('{"message":"no configuration available (empty)"}');
    await expect(module.get(KongClient, { strict: false }).ready()).rejects.toMatchObject({
      code: 'unavailable',
      message: 'Kong is not ready: no configuration available (empty)',
    });
  });

  it.each([
    [404, '{"message":"Not found"}'],
    [302, ''],
  ])('names the setting when something else answers %i there', async (status, body) => {
    listener.answer = (_request, answer) => void answer.writeHead(status, JSON_TYPE).end(body);
    await expect(module.get(KongClient, { strict: false }).ready()).rejects.toThrow(/^KONG_STATUS_URL does not name the status listener/);
  });

  it('gives a listener that hangs one second', async () => {
    listener.answer = () => undefined;
    const begun = performance.now();
    await expect(module.get(KongClient, { strict: false }).ready()).rejects.toMatchObject({ code: 'timeout' });
    expect(performance.now() - begun).toBeLessThan(1_500);
  });

  it('says at once that nobody is there, without the address', async () => {
    await module.get(KongClient, { strict: false }).ready();
    await listener.stop();
    const begun = performance.now();
    await expect(module.get(KongClient, { strict: false }).ready()).rejects.toMatchObject({
      code: 'unavailable',
      message: 'Kong does not answer at KONG_STATUS_URL.',
    });
    expect(performance.now() - begun).toBeLessThan(250);
  });

  it('reads no endless answer', async () => {
    listener.answer = (_request, answer) => {
      answer.writeHead(503, JSON_TYPE);
      const flow = (): void => {
        while (!answer.destroyed && answer.write('x'.repeat(65_536)));
      };
      answer.on('drain', flow);
      flow();
    };
    await expect(module.get(KongClient, { strict: false }).ready()).rejects.toThrow('Kong is not ready: it gives no reason.');
  });

  it('is a line of the health list that never throws and asks once for many', async () => {
    const health = module.get(KongHealth);
    const answers = await Promise.all(Array.from({ length: 100 }, () => health.check()));
    expect(answers[0]).toMatchObject({ kong: { status: 'up' } });
    expect(listener.asked).toHaveLength(1);
    expect([health.name, health.required, health.enabled]).toEqual(['kong', false, true]);
  });

  it('is down with the reason when Kong is away', async () => {
    await listener.stop();
    await expect(Promise.resolve(module.get(KongHealth).check())).resolves.toMatchObject({
      kong: { status: 'down', message: 'Kong does not answer at KONG_STATUS_URL.' },
    });
  });
});

it('is disabled without KONG_STATUS_URL', async () => {
  const module = await kongAt(undefined);
  expect(module.get(KongHealth).enabled).toBe(false);
  await expect(module.get(KongClient, { strict: false }).ready()).rejects.toThrow('KONG_STATUS_URL is not set.');
  await module.close();
});
