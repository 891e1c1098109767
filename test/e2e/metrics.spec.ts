import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MetricsServer } from '@backing/prometheus';
import { startApi, type TestApi } from '../support/api';
import { parseMetrics, valueOf, type MetricFamily } from '../support/prometheus-text';

describe('Metrics', () => {
  let api: TestApi;
  let token: string;
  let origin: string;

  const scrape = async (): Promise<Map<string, MetricFamily>> => {
    const response = await fetch(`${origin}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    return parseMetrics(await response.text());
  };

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '200' } });
    origin = `http://127.0.0.1:${api.app.get(MetricsServer, { strict: false }).port}`;
    token = (await api.register()).accessToken;
  });
  afterAll(() => api.close());

  it('are read by a strict parser', async () => {
    const families = await scrape();
    for (const name of ['nodejs_eventloop_lag_seconds', 'process_resident_memory_bytes', 'sutazai_build_info', 'db_pool_connections'])
      expect([...families.keys()]).toContain(name);
    expect(valueOf(families, 'sutazai_build_info', { version: '0.1.0' })).toBe(1);
    expect(valueOf(families, 'db_pool_connections', { state: 'open' })).toBe(1);
    expect(valueOf(families, 'db_client_operation_duration_seconds_count')).toBeGreaterThan(0);
    for (const { name, help, type } of families.values()) {
      expect(help).not.toBe('');
      if (type === 'counter') expect(name).toMatch(/_total$/);
    }
  });

  it('are whole when two look at the same moment, and nothing was measured between', async () => {
    const looks = await Promise.all([scrape(), scrape(), scrape(), scrape()]);
    for (const families of looks) expect([...families.keys()]).toContain('nodejs_eventloop_lag_mean_seconds');
  });

  it('count requests by the pattern of their route, whoever asks for what', async () => {
    const collections = '/api/v1/documents/:id';
    const before = await scrape();
    for (const id of ['0192d3f0-0000-7000-8000-000000000000', 'no-id', '%00'])
      expect((await api.get(`/api/v1/documents/${id}`, token)).status).toBeGreaterThanOrEqual(400);
    for (const path of ['/nowhere', '/api/v1/nowhere/42', '/%E0%A4%A']) await api.get(path);
    const after = await scrape();
    const documents = { method: 'GET', route: collections, status: '404' };
    const count = 'http_request_duration_seconds_count';
    expect((valueOf(after, count, documents) ?? 0) - (valueOf(before, count, documents) ?? 0)).toBe(2);
    expect(valueOf(after, count, { method: 'GET', route: 'unknown', status: '404' })).toBeGreaterThanOrEqual(2);
    const routes = after.get('http_request_duration_seconds')?.samples.map(({ labels }) => labels.route ?? '') ?? [];
    expect(routes.filter((route) => /nowhere|no-id|0192d3f0|%/.test(route))).toEqual([]);
    expect(valueOf(after, 'http_requests_in_flight')).toBe(0);
  });

  it('are alone on their port, which is not the port of the API', async () => {
    expect((await fetch(`${origin}/api/v1/auth/me`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(404);
    const post = await fetch(`${origin}/metrics`, { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await api.get('/metrics')).status).toBe(404);
  });

  it('stop the start with a sentence when their port is taken', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as AddressInfo;
    await expect(startApi({ database: 'embedded', env: { METRICS_PORT: String(port) } })).rejects.toMatchObject({
      code: 'unavailable',
      message: `Cannot listen on port ${port} of 127.0.0.1 for metrics: another process listens there. Set METRICS_PORT.`,
    });
    await new Promise((resolve) => holder.close(resolve));
  });

  it('end with the application', async () => {
    const other = await startApi({ database: 'embedded' });
    const url = `http://127.0.0.1:${other.app.get(MetricsServer, { strict: false }).port}/metrics`;
    expect((await fetch(url)).status).toBe(200);
    await other.close();
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });
});
