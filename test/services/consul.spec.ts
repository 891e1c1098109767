import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConsulClient, ConsulRegistration, ConsulServers } from '@backing/consul';
import type { AppConfig } from '@kernel/config';
import { newDatabase } from '../support/databases';
import { FaultProxy } from '../support/fault-proxy';
import { startServerOf, type TestServer } from '../support/services';

/** A start of the product, where the machine does much else. */
const SLOW = 180_000;
const REQUIRED = process.env.REQUIRE_SERVICES === '1' || process.env.TEST_CONSUL_URL !== undefined;
const SECRET = 'a-token-that-nobody-may-read';

interface Product {
  url: string;
  port: number;
  log: string;
  child?: { pid: number; exitCode: number | null };
  ended: Promise<{ code: number | null }>;
  start(): Promise<number>;
}
type ProductClass = new (options: { environment: Record<string, string>; directory: string }) => Product;

interface Instance {
  Service: { ID: string; Address: string; Port: number; Tags: string[] };
}

/** The figures of the contract are said aloud, each with its bound. */
function within(what: string, since: number, bound: number): void {
  const milliseconds = performance.now() - since;
  process.stdout.write(`${what}: ${milliseconds.toFixed(0)} ms (at most ${bound})\n`);
  expect(milliseconds).toBeLessThanOrEqual(bound);
}

async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 30_000; !(await met()); await delay(20))
    if (performance.now() > deadline) throw new Error('It never came about.');
}

function configured(url: string, token?: string): AppConfig {
  return { role: 'worker', http: { host: '127.0.0.1' }, consul: { url, token } } as unknown as AppConfig;
}

(REQUIRED ? describe : describe.skip)(REQUIRED ? 'Consul' : 'Consul: TEST_CONSUL_URL is not set', () => {
  let consul: TestServer;
  let proxy: FaultProxy;
  let api: Product;
  let place: { directory: string; drop(): Promise<void> };

  /** Healthy instances of a service (with another `state`: all), as anybody would find them; none while the agent is away. */
  const found = async (service: string, state = '?passing=true'): Promise<Instance[]> => {
    const url = `${consul.url}/v1/health/service/${service}${state}`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
    return answer?.ok === true ? ((await answer.json()) as Instance[]) : [];
  };
  const isPassing = async (service = 'sutazai-api'): Promise<boolean> => (await found(service)).length > 0;
  const signal = (name: NodeJS.Signals): void => void (api.child === undefined || process.kill(api.child.pid, name));
  const state = async (): Promise<string> => ((await (await fetch(`${api.url}/health`)).json()) as { status: string }).status;

  beforeAll(async () => {
    // A port on which nobody listens yet: Consul is absent at the start.
    consul = await startServerOf('consul', 'startConsul');
    await consul.kill();
    proxy = await FaultProxy.before({ port: consul.port });
    const { ServerProcess } = (await import(join(__dirname, '..', 'support', 'server.mjs'))) as { ServerProcess: ProductClass };
    const environment = {
      CONSUL_URL: consul.url,
      CONSUL_ADDRESS: '127.0.0.1',
      CONSUL_TOKEN: SECRET,
      // Beyond loopback a drain waits for gateways.
      HOST: '0.0.0.0',
      PUBLIC_HOSTS: '127.0.0.1',
      JWT_SECRET: randomBytes(48).toString('base64'),
      SETUP_TOKEN: randomBytes(24).toString('hex'),
    };
    place = await newDatabase('embedded');
    api = new ServerProcess({ environment, directory: place.directory });
    await api.start();
  }, SLOW);
  afterAll(async () => {
    if (api.child?.exitCode === null) signal('SIGKILL');
    await api.ended;
    await place.drop();
    await proxy.close();
    await consul.stop();
  });

  it('absent at the start it stops nothing, and the process is entered when it comes', async () => {
    await until(() => api.log.includes('Not registered in Consul'));
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
    expect(await state()).toBe('degraded');
    await consul.restart();
    const since = performance.now();
    await until(isPassing);
    within('registered after Consul came', since, 5_000);
    const [{ Service: entry }] = (await found('sutazai-api')) as [Instance];
    expect(entry).toMatchObject({ ID: `api-127.0.0.1-${api.port}`, Address: '127.0.0.1', Port: api.port });
    expect(entry.Tags).toContain('api');
  });

  it(
    'the entry is gone at the beginning of the drain, and there again at the next start',
    async () => {
      const asked = performance.now();
      signal('SIGTERM');
      await until(async () => (await found('sutazai-api', '')).length === 0);
      within('gone into the drain', asked, 1_000);
      expect(api.child?.exitCode).toBeNull();
      expect((await api.ended).code).toBe(0);
      await api.start();
      const ready = performance.now();
      await until(isPassing);
      within('registered after ready', ready, 2_000);
    },
    SLOW,
  );

  it('a process that hangs is critical, and healthy again when it goes on', async () => {
    signal('SIGSTOP');
    const since = performance.now();
    await until(async () => !(await isPassing()));
    within('critical after a hang', since, 10_000);
    signal('SIGCONT');
    await until(isPassing);
  });

  it('killed and started anew, it knows the process again; nobody else notices', async () => {
    const before = api.child?.pid;
    await consul.kill();
    await until(async () => (await state()) === 'degraded');
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
    await consul.restart();
    const since = performance.now();
    await until(isPassing);
    within('registered again after a restart of Consul', since, 5_000);
    await until(async () => (await state()) === 'ok');
    within('up again in the health of the platform', since, 5_000);
    expect(api.child?.pid).toBe(before);
    expect(api.log).not.toContain(SECRET);
  });

  describe('in this process', () => {
    const clients: ConsulClient[] = [];
    const clientOf = (url: string, token?: string): ConsulClient => {
      const client = new ConsulClient(configured(url, token));
      clients.push(client);
      return client;
    };
    afterAll(async () => {
      for (const client of clients) await client.onApplicationShutdown();
    });
    const put = (path: string, body?: object): Promise<Response> =>
      fetch(`${consul.url}/v1/agent/${path}`, { method: 'PUT', body: body === undefined ? undefined : JSON.stringify(body) });
    const enter = (id: string, port: number): Promise<Response> =>
      put('service/register', { Name: 'ollama', ID: id, Address: '127.0.0.1', Port: port, Check: { TTL: '90s', Status: 'passing' } });

    it('who says by itself that it is well is entered, found to be lost, and critical when it says no more', async () => {
      const client = clientOf(consul.url);
      const registration = new ConsulRegistration(client, configured(consul.url));
      let well = true;
      registration.begin({ port: 10_202, healthy: async () => well });
      await until(() => isPassing('sutazai-worker'));
      await client.deregister('worker-127.0.0.1-10202');
      await until(() => isPassing('sutazai-worker'));
      well = false;
      await until(async () => !(await isPassing('sutazai-worker')));
      expect(await found('sutazai-worker', '')).toHaveLength(1);
      await registration.end();
      expect(await found('sutazai-worker', '')).toEqual([]);
    });

    it('follows the servers of a service, healthy ones only, and keeps those it knew while Consul is away', async () => {
      const client = clientOf(`http://127.0.0.1:${proxy.port}`);
      const servers = new ConsulServers(client, 'ollama');
      const come = async (wanted: string[]): Promise<void> => {
        const since = performance.now();
        await until(async () => JSON.stringify(await servers.current()) === JSON.stringify(wanted));
        within(`followed a change to ${wanted.length}`, since, 2_000);
      };
      const [one, two] = ['http://127.0.0.1:7001', 'http://127.0.0.1:7002'] as const;
      expect(await servers.current()).toEqual([]);
      await enter('one', 7_001);
      await come([one]);
      await enter('two', 7_002);
      await come([one, two]);
      await put('check/fail/service:one');
      await come([two]);
      await proxy.put({ kind: 'refuse' });
      await expect(client.ping()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
      expect(await servers.current()).toEqual([two]);
      await put('check/pass/service:one');
      await proxy.clear();
      await until(async () => (await servers.current()).length === 2);
      await proxy.put({ kind: 'reset' });
      expect(await servers.current()).toEqual([one, two]);
      await proxy.clear();
      await put('service/deregister/one');
      await until(async () => (await servers.current()).length === 1);
      servers.onApplicationShutdown();
    });

    it('silent, it is noticed within a second and holds up no end', async () => {
      const client = clientOf(consul.url);
      const registration = new ConsulRegistration(client, configured(consul.url));
      registration.begin({ port: 10_209, healthy: async () => true });
      await until(() => isPassing('sutazai-worker'));
      consul.pause();
      try {
        await expect(client.ping()).rejects.toMatchObject({ code: 'timeout', message: 'Consul did not answer within 1 s.' });
        const since = performance.now();
        await registration.end();
        within('leaving a silent Consul', since, 1_500);
      } finally {
        consul.resume();
      }
    });

    it('a wrong token is named by its setting, and the right one enters', async () => {
      const options = { acl: true } as Parameters<typeof startServerOf>[2];
      const guarded = await startServerOf('consul', 'startConsul', options);
      const token = guarded.credentials?.CONSUL_TOKEN ?? '';
      const services = async (): Promise<string> =>
        (await fetch(`${guarded.url}/v1/agent/services`, { headers: { 'x-consul-token': token } })).text();
      try {
        const wrong = new ConsulRegistration(clientOf(guarded.url, 'nonsense'), configured(guarded.url));
        wrong.begin({ port: 1 });
        await until(() => wrong.refused !== undefined);
        expect(wrong.refused?.message).toBe('CONSUL_TOKEN: the agent refuses it, or it lacks a right.');
        await wrong.end();
        expect(await services()).toBe('{}');
        const right = new ConsulRegistration(clientOf(guarded.url, token), configured(guarded.url));
        right.begin({ port: 2, healthy: async () => true });
        await until(async () => (await services()).includes('worker-127.0.0.1-2'));
        await right.end();
        expect(await services()).toBe('{}');
      } finally {
        await guarded.stop();
      }
    });
  });
});
