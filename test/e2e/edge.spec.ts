import { startApi, type TestApi } from '../support/api';

describe('the HTTP edge', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded' });
  });
  afterAll(() => api?.close());

  it('answers an unknown path as a problem', async () => {
    const answer = await api.get('/nowhere');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.json).toMatchObject({ type: '/docs/errors/not_found', code: 'not_found', status: 404, request_id: answer.headers.get('x-request-id') });
  });

  it('registers and asks who I am', async () => {
    const me = await api.register();
    const answer = await api.get('/api/v1/auth/me', me.accessToken);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-ratelimit-limit')).toBe('600');
    await api.restart();
    expect((await api.get('/api/v1/auth/me', me.accessToken)).status).toBe(200);
    expect((await api.get('/api/v1/auth/me')).status).toBe(401);
    const wrong = await api.request('/api/v1/auth/me', { method: 'PUT' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});
