import { PostgresClient } from '@backing/postgres';
import { Readiness } from '@features/health';
import { startApi, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';

const STRONG = 'k7Hq2vXw9TzLpR4mBn8sYd3fGc6jUa1e';
const DISABLED = ['redis', 'rabbitmq', 'neo4j', 'chroma', 'qdrant', 'faiss', 'consul', 'ollama', 'kong'];

interface Service {
  name: string;
  status: string;
  driver: string | null;
  required: boolean;
  latency_ms: number | null;
  checked_at: string | null;
  since: string | null;
  error?: string;
}

describeDatabases('health', (database) => {
  let api: TestApi;
  let token: string;
  beforeAll(async () => {
    api = await startApi({ database, env: { AUTH_REGISTRATION: 'open' } });
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());

  it.each(['/livez', '/startupz', '/readyz'])('%s says nothing but ok', async (path) => {
    const answer = await api.get(path);
    expect([answer.status, answer.json]).toEqual([200, { status: 'ok' }]);
  });

  it('tells the state of the whole', async () => {
    const { status, json } = await api.get('/health');
    expect([status, json]).toEqual([
      200,
      { status: 'ok', version: expect.stringMatching(/^\d+\.\d+\.\d+/), uptime_seconds: expect.any(Number) },
    ]);
  });

  it('lists every service', async () => {
    const { json } = await api.get('/health/detailed');
    const services = json.services as unknown as Service[];
    expect(json.status).toBe('ok');
    expect(services.find(({ name }) => name === 'postgres')).toMatchObject({
      status: 'up',
      driver: database,
      required: true,
      latency_ms: expect.any(Number),
    });
    expect(services.find(({ name }) => name === 'workers')).toMatchObject({ status: 'up', driver: 'in-process' });
    expect(services.filter(({ status }) => status === 'disabled').map(({ name }) => name)).toEqual(DISABLED);
    expect((await api.get('/api/v1/health')).json).toMatchObject({
      status: 'ok',
      services: services.map(({ name, status }) => ({ name, status })),
    });
  });

  it('answers for one service, and 404 for a name that is none', async () => {
    expect((await api.get('/api/v1/health/services/redis')).json).toMatchObject({ name: 'redis', status: 'disabled', driver: null });
    expect((await api.get('/api/v1/health/services/mysql')).status).toBe(404);
  });

  it('asks the database once, whoever asks at the same time', async () => {
    const ping = jest.spyOn(api.app.get(PostgresClient, { strict: false }), 'ping');
    try {
      await Promise.all(Array.from({ length: 20 }, () => api.get('/health/detailed')));
      expect(ping.mock.calls.length).toBeLessThanOrEqual(1);
    } finally {
      ping.mockRestore();
    }
  });

  it('shows what is wrong to an instance admin only', async () => {
    const other = (await api.register('second@example.org')).accessToken;
    await api.restart();
    const ping = jest
      .spyOn(api.app.get(PostgresClient, { strict: false }), 'ping')
      .mockRejectedValue(new Error('canary-connection-refused'));
    try {
      expect((await api.get('/health')).status).toBe(503);
      expect((await api.get('/api/v1/health/services/postgres', token)).json).toMatchObject({
        status: 'down',
        error: 'canary-connection-refused',
      });
      for (const who of [undefined, other]) expect((await api.get('/health/detailed', who)).text).not.toContain('canary');
    } finally {
      ping.mockRestore();
    }
  });
});

describe('readiness', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded' });
  });
  afterAll(() => api?.close());

  it('ends when the database has been silent for 10 s and does not answer', async () => {
    const postgres = api.app.get(PostgresClient, { strict: false });
    const silent = jest.spyOn(postgres, 'silentMilliseconds', 'get').mockReturnValue(10_001);
    const ping = jest.spyOn(postgres, 'ping').mockRejectedValue(new Error('no answer'));
    const answer = await api.get('/readyz');
    expect([answer.status, answer.json]).toEqual([503, { status: 'unavailable' }]);
    expect(ping).toHaveBeenCalled();
    silent.mockRestore();
    ping.mockRestore();
    expect((await api.get('/readyz')).status).toBe(200);
  });

  it('ends at once with a drain, while everything else is still answered', async () => {
    api.app.get(Readiness, { strict: false }).drain();
    expect((await api.get('/readyz')).status).toBe(503);
    expect((await api.get('/livez')).status).toBe(200);
  });
});

it('needs a token for the details where the server can be reached from elsewhere', async () => {
  const api = await startApi({
    database: 'embedded',
    env: { HOST: '0.0.0.0', JWT_SECRET: STRONG, SETUP_TOKEN: 'a token of sixteen characters', PUBLIC_HOSTS: '127.0.0.1,0.0.0.0' },
  });
  try {
    for (const path of ['/health/detailed', '/api/v1/health', '/api/v1/health/services/redis'])
      expect((await api.get(path)).status).toBe(401);
    expect((await api.get('/health')).status).toBe(200);
  } finally {
    await api.close();
  }
});
