import { request as httpRequest } from 'node:http';
import { startApi, type TestApi } from '../support/api';
import { expectLimit } from '../support/rate-limits';

describe('the HTTP edge', () => {
  let api: TestApi;
  let token: string;

  beforeAll(async () => {
    api = await startApi({
      database: 'embedded',
      env: { RATE_LIMIT_PER_MINUTE: '50', CORS_ORIGINS: 'https://console.example.org', TRUSTED_PROXIES: '' },
    });
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());

  describe('request ids', () => {
    it.each(['a', 'A-b_c.9', 'x'.repeat(64)])('takes %s over', async (id) => {
      expect((await api.request('/livez', { headers: { 'x-request-id': id } })).headers.get('x-request-id')).toBe(id);
    });

    it.each(['x'.repeat(65), 'a b', 'a;b', 'é'.normalize('NFC').replace(/./, '%'), '{}'])('makes its own instead of %s', async (id) => {
      const given = (await api.request('/livez', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
      expect(given).toMatch(/^[0-9a-f-]{36}$/);
    });

    it('gives every answer another one', async () => {
      const ids = await Promise.all(
        ['/livez', '/nowhere', '/api/v1/auth/me'].map(async (path) => (await api.get(path)).headers.get('x-request-id')),
      );
      expect(new Set(ids).size).toBe(3);
    });
  });

  it('puts its headers on every answer', async () => {
    for (const path of ['/livez', '/nowhere', '/api/v1/auth/me', '/api/v1/jobs/%zz']) {
      const { headers } = await api.get(path);
      expect([path, Object.fromEntries(headers)]).toEqual([
        path,
        expect.objectContaining({
          'cache-control': 'no-store',
          'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
          'referrer-policy': 'no-referrer',
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'DENY',
        }),
      ]);
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('set-cookie')).toBeNull();
    }
  });

  describe('Host', () => {
    it.each(['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:80', '0.0.0.0'])('%s is not ours', async (host) => {
      expect(await statusUnder(host, '/health')).toBe(400);
      expect(await statusUnder(host, '/nowhere')).toBe(400);
    });

    it.each(['localhost', 'LocalHost:10200', '127.0.0.1:1', '[::1]:10200'])('%s is ours', async (host) => {
      expect(await statusUnder(host, '/health')).toBe(200);
    });

    it('does not matter to probes, which come by address', async () => {
      for (const path of ['/livez', '/readyz', '/startupz']) expect(await statusUnder('10.1.2.3:10200', path)).toBe(200);
    });
  });

  describe('CORS', () => {
    const preflight = (origin: string) =>
      api.fetch('/api/v1/auth/me', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization,x-stainless-os' },
      });

    it('admits the listed origin, with the headers it asks for, without credentials', async () => {
      const response = await preflight('https://console.example.org');
      expect(response.status).toBe(204);
      expect(response.headers.get('access-control-allow-origin')).toBe('https://console.example.org');
      expect(response.headers.get('access-control-allow-headers')).toBe('authorization,x-stainless-os');
      expect(response.headers.get('access-control-allow-credentials')).toBeNull();
      expect(response.headers.get('vary')).toContain('Origin');
      const answer = await api.request('/api/v1/auth/me', { token, headers: { origin: 'https://console.example.org' } });
      expect(answer.headers.get('access-control-expose-headers')).toBe(
        'Location, ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, x-request-id, Idempotent-Replayed',
      );
    });

    it.each([
      'https://evil.example',
      'null',
      'https://console.example.org.evil.example',
      'https://xconsole.example.org',
      'http://console.example.org',
    ])('admits not %s', async (origin) => {
      const answers = [await preflight(origin), await api.fetch('/livez', { headers: { origin } })];
      for (const { headers } of answers) expect(headers.get('access-control-allow-origin')).toBeNull();
    });
  });

  it('takes a token from the Authorization header only', async () => {
    for (const answer of [
      await api.get(`/api/v1/auth/me?access_token=${token}&token=${token}`),
      await api.request('/api/v1/auth/me', { headers: { 'x-api-key': token, cookie: `access_token=${token}` } }),
      await api.request('/api/v1/auth/me', { headers: { authorization: `Basic ${btoa(`x:${token}`)}` } }),
      await api.request('/api/v1/auth/me', { headers: { authorization: `Bearer ${token} ${token}` } }),
    ])
      expect(answer.status).toBe(401);
    expect((await api.request('/api/v1/auth/me', { headers: { authorization: `bearer ${token}` } })).status).toBe(200);
  });

  it('serves the documentation with a policy of its own, and no file beside it', async () => {
    const page = await api.get('/docs');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    const sources = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source ?? '');
    expect(sources.length).toBe(4);
    for (const source of sources) expect([source, (await api.get(source)).status]).toEqual([source, 200]);
    for (const other of ['package.json', '..%2fpackage.json', 'index.html', 'constructor'])
      expect((await api.get(`/docs/assets/${other}`)).status).toBe(404);
  });

  it('counts the requests of a principal, and refuses those over the limit', async () => {
    const key = await api.key(token, ['jobs:read']);
    const answers = [];
    for (let count = 0; count < 101; count += 1) answers.push(await api.get('/api/v1/jobs', key));
    // At most one minute turns while this runs: the limit is reached in one of the two.
    const refused = expectLimit(answers, 50);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers, json } of refused) {
      expect(json).toMatchObject({ code: 'rate_limited' });
      expect([headers.get('x-ratelimit-limit'), headers.get('x-ratelimit-remaining')]).toEqual(['50', '0']);
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);
      expect(headers.get('x-ratelimit-reset')).toBe(headers.get('retry-after'));
    }
    expect((await api.get('/api/v1/auth/me', token)).headers.get('x-ratelimit-limit')).toBe('50');
    const other = await api.key(token, ['jobs:read']);
    expect((await api.get('/api/v1/jobs', other)).status).toBe(200);
  });

  function statusUnder(host: string, path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      httpRequest(api.url + path, { headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  }
});
