import { Logger } from '@nestjs/common';
import { FaissClient } from '@backing/faiss';
import { startApi, type ApiAnswer, type TestApi } from '../support/api';
import { faissBinding, numbersFrom, until } from '../support/faiss';
import { startServerOf, type TestServer } from '../support/services';

const COLLECTIONS = '/api/v1/vectors/collections';
const MANY = { RATE_LIMIT_PER_MINUTE: '1000000' };
const next = numbersFrom(21);
const vector = (): number[] => Array.from({ length: 12 }, next);

async function freePort(): Promise<number> {
  const probe = await startServerOf('faiss', 'startFaiss');
  const { port } = probe;
  await probe.stop();
  return port;
}

function service(answer: ApiAnswer, name: string): Record<string, unknown> | undefined {
  return (answer.json as unknown as { services: Array<Record<string, unknown>> }).services.find((one) => one.name === name);
}

beforeAll(() => Logger.overrideLogger(false));

describe('a collection in FAISS, over the public API', () => {
  let api: TestApi;
  let token: string;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { ...MANY, FAISS_BINDING: await faissBinding() } });
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());

  it('is served by a child that starts when it is needed', async () => {
    const client = api.app.get(FaissClient, { strict: false });
    expect(service(await api.get('/health/detailed', token), 'faiss')).toMatchObject({ status: 'up', driver: 'embedded' });
    expect(client.childPid).toBeUndefined();
    expect((await api.post(COLLECTIONS, { name: 'own', store: 'faiss', dimensions: 12, metric: 'l2' }, token)).status).toBe(201);
    const points = [vector(), vector(), vector()].map((numbers, at) => ({ id: `p${at}`, vector: numbers, metadata: { at } }));
    const put = await api.request(`${COLLECTIONS}/own/points`, { method: 'PUT', token, body: { points } });
    expect([put.status, put.json.upserted]).toEqual([200, 3]);
    expect(client.childPid).toEqual(expect.any(Number));
    const found = await api.post(`${COLLECTIONS}/own/search`, { vector: points[1]?.vector, limit: 3, filter: { at: { $gte: 1 } } }, token);
    const data = found.json.data as unknown as Array<{ id: string; score: number }>;
    expect(data.map(({ id }) => id)).toEqual(['p1', 'p2']);
    expect(data[0]?.score).toBeCloseTo(0, 6);
    await api.delete(`${COLLECTIONS}/own/points/p1`, token);
    const after = await api.post(`${COLLECTIONS}/own/search`, { vector: points[1]?.vector, limit: 3 }, token);
    expect((after.json.data as unknown as Array<{ id: string }>).map(({ id }) => id).sort()).toEqual(['p0', 'p2']);
  });

  it('costs its users nothing when FAISS dies under load', async () => {
    const client = api.app.get(FaissClient, { strict: false });
    const statuses = new Map<string, number>();
    let [going, served] = [true, 0];
    const load = [0, 1, 2].map(async (worker) => {
      for (let at = 0; going; at += 1) {
        const numbers = vector();
        const points = [{ id: `w${worker}-${at}`, vector: numbers }];
        const put = await api.request(`${COLLECTIONS}/own/points`, { method: 'PUT', token, body: { points } });
        const found = await api.post(`${COLLECTIONS}/own/search`, { vector: numbers, limit: 1 }, token);
        const [hit] = (found.json.data ?? []) as unknown as Array<{ id: string }>;
        const outcome = `${put.status} ${found.status} ${hit?.id === points[0]?.id}`;
        statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
        served += 1;
      }
    });
    try {
      for (let crash = 0; crash < 3; crash += 1) {
        const before = client.childPid;
        process.kill(before ?? 0, crash === 1 ? 'SIGABRT' : 'SIGKILL');
        await until(() => client.childPid !== undefined && client.childPid !== before);
        const sofar = served;
        await until(() => served > sofar + 6);
      }
    } finally {
      going = false;
      await Promise.all(load);
    }
    expect([...statuses.keys()]).toEqual(['200 200 true']);
    expect((await api.get('/readyz')).status).toBe(200);
  });
});

describe('a FAISS service that is not there', () => {
  let api: TestApi;
  let token: string;
  let port: number;
  let server: TestServer | undefined;

  beforeAll(async () => {
    port = await freePort();
    api = await startApi({ database: 'embedded', env: { ...MANY, FAISS_URL: `http://127.0.0.1:${port}` } });
    token = (await api.register()).accessToken;
  });
  afterAll(async () => {
    await api?.close();
    await server?.stop();
  });

  it('stops its own collections alone, at once, and is found when it comes', async () => {
    const inFaiss = { store: 'faiss', dimensions: 12, metric: 'cosine' };
    const first = await api.post(COLLECTIONS, { name: 'first', ...inFaiss }, token);
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '2']);
    // The quickest of a few: what else this machine does is not FAISS's time.
    const times: number[] = [];
    for (let at = 0; at < 8; at += 1) {
      const asked = performance.now();
      const again = await api.post(COLLECTIONS, { name: 'second', ...inFaiss }, token);
      times.push(performance.now() - asked);
      expect([again.status, again.headers.get('retry-after')]).toEqual([503, '2']);
    }
    expect(Math.min(...times)).toBeLessThan(50);
    expect((await api.post(COLLECTIONS, { name: 'other', dimensions: 12 }, token)).status).toBe(201);
    const points = [{ id: 'a', vector: vector() }];
    expect((await api.request(`${COLLECTIONS}/other/points`, { method: 'PUT', token, body: { points } })).status).toBe(200);
    expect((await api.get('/readyz')).status).toBe(200);
    expect(service(await api.get('/health/detailed', token), 'faiss')).toMatchObject({ status: 'down', driver: 'faiss', required: false });
    server = await startServerOf('faiss', 'startFaiss', { port });
    let status = 503;
    const deadline = performance.now() + 10_000;
    while (status === 503 && performance.now() < deadline)
      status = (await api.post(COLLECTIONS, { name: 'third', ...inFaiss }, token)).status;
    expect(status).toBe(201);
    expect((await api.request(`${COLLECTIONS}/third/points`, { method: 'PUT', token, body: { points } })).status).toBe(200);
  });
});

describe('where FAISS cannot run', () => {
  it('says what to do', async () => {
    const api = await startApi({ database: 'embedded' });
    try {
      const token = (await api.register()).accessToken;
      const { status, text } = await api.post(COLLECTIONS, { name: 'own', store: 'faiss', dimensions: 3 }, token);
      expect(status).toBe(503);
      expect(text).toMatch(/npm run faiss:build/);
      expect(service(await api.get('/health/detailed', token), 'faiss')).toMatchObject({ status: 'disabled' });
    } finally {
      await api.close();
    }
  });
});
