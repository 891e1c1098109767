import { request as httpRequest } from 'node:http';
import { Setup } from '../../apps/api/src/auth/setup.service';
import { startApi, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';

const PASSWORD = 'correct horse battery staple';
const REGISTER = '/api/v1/auth/register';
const person = (email: string) => ({ email, password: PASSWORD });

/** POST with any header, which fetch does not allow for `Host`. */
function postAs(api: TestApi, path: string, body: unknown, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      api.url + path,
      { method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}

describeDatabases('Accounts over HTTP', (kind) => {
  let api: TestApi;
  let token: string;

  beforeAll(async () => {
    api = await startApi({ database: kind });
  });
  afterAll(() => api.close());

  it('registers the first of 50 parallel tries as admin, and none of the others', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => api.post(REGISTER, person(`p${n}@example.org`))));
    const won = answers.filter(({ status }) => status === 201);
    expect(won).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(49);
    const [winner] = won;
    expect(winner?.json).toEqual({
      user: {
        id: expect.any(String),
        email: expect.stringMatching(/^p\d+@/),
        name: null,
        instance_admin: true,
        created_at: expect.any(String),
      },
      workspace: { id: expect.any(String), name: expect.stringMatching(/^p\d+$/), role: 'owner' },
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
    });
    expect(winner?.headers.get('location')).toBe('/api/v1/auth/me');
    token = String(winner?.json.access_token);
    const me = await api.get('/api/v1/auth/me', token);
    expect(me.status).toBe(200);
    expect(me.json).toEqual({
      user: winner?.json.user,
      workspace: winner?.json.workspace,
      role: 'owner',
      scopes: expect.arrayContaining(['chat', 'admin', 'models:write']),
    });
  });

  it('signs in, refreshes and out: every token of the login is refused afterwards', async () => {
    const me = await api.get('/api/v1/auth/me', token);
    const { email } = me.json.user as unknown as { email: string };
    const login = await api.post('/api/v1/auth/login', person(email));
    expect(login.status).toBe(200);
    const spent = String(login.json.refresh_token);
    const refreshed = await api.post('/api/v1/auth/refresh', { refresh_token: spent });
    expect(refreshed.status).toBe(200);
    const repeated = await api.post('/api/v1/auth/refresh', { refresh_token: spent });
    expect([repeated.status, repeated.json.code]).toEqual([409, 'conflict']);
    const fresh = String(refreshed.json.access_token);
    expect((await api.get('/api/v1/auth/me', fresh)).status).toBe(200);
    const logout = await api.post('/api/v1/auth/logout', undefined, fresh);
    expect([logout.status, logout.text]).toEqual([204, '']);
    for (const ended of [fresh, String(login.json.access_token)]) expect((await api.get('/api/v1/auth/me', ended)).status).toBe(401);
    expect((await api.post('/api/v1/auth/refresh', { refresh_token: String(refreshed.json.refresh_token) })).status).toBe(401);
    expect((await api.get('/api/v1/auth/me', token)).status).toBe(200);
  });

  it('makes, lists, uses and deletes API keys', async () => {
    const { json: me } = await api.get('/api/v1/auth/me', token);
    const made = await api.post('/api/v1/auth/keys', { name: 'ci', scopes: ['chat'], limits: { requests_per_minute: 50 } }, token);
    expect(made.status).toBe(201);
    const { secret, ...key } = made.json as Record<string, unknown>;
    expect(key).toEqual({
      id: expect.any(String),
      name: 'ci',
      scopes: ['chat'],
      owner: 'me',
      made_by: (me.user as unknown as { id: string }).id,
      secret_hint: String(secret).slice(-4),
      limits: { requests_per_minute: 50, tokens_per_day: null },
      tokens_today: null,
      expires_at: null,
      created_at: expect.stringMatching(/\.\d{3}Z$/),
    });
    expect(made.headers.get('location')).toBe(`/api/v1/auth/keys/${String(key.id)}`);
    const used = await api.get('/api/v1/auth/me', String(secret));
    expect(used.json).toMatchObject({ scopes: ['chat'], key });
    expect(used.headers.get('x-ratelimit-limit')).toBe('50');
    const list = await api.get('/api/v1/auth/keys?limit=1', token);
    expect(list.json).toEqual({ object: 'list', data: [key], first_id: key.id, last_id: key.id, has_more: false });
    expect((await api.delete(`/api/v1/auth/keys/${String(key.id)}`, token)).status).toBe(204);
    expect((await api.get('/api/v1/auth/me', String(secret))).status).toBe(401);
    expect((await api.delete(`/api/v1/auth/keys/${String(key.id)}`, token)).status).toBe(404);
    expect((await api.delete('/api/v1/auth/keys/not-an-id', token)).status).toBe(404);
  });

  it.each([
    ['register', { ...person('x@example.org'), instance_admin: true }, 'instance_admin'],
    ['register', { ...person('x@example.org'), id: '0190a0a0-0000-7000-8000-000000000000' }, 'id'],
    ['register', { email: 'x@example.org', password: 'elevenchars' }, 'password'],
    ['register', { email: 'not an address', password: PASSWORD }, 'email'],
    ['login', { email: 'x@example.org', password: { $ne: '' } }, 'password'],
    ['login', { email: { where: '1=1' }, password: PASSWORD }, 'email'],
    ['login', { email: ['x@example.org'], password: PASSWORD }, 'email'],
    ['login', { email: 'x@example.org', password: 12 }, 'password'],
    ['refresh', { refresh_token: null }, 'refresh_token'],
    ['refresh', {}, 'refresh_token'],
  ])('answers 400 to POST %s %j, naming %s', async (route, body, field) => {
    const answer = await api.post(`/api/v1/auth/${route}`, body);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid']);
    expect(answer.text).toContain(field);
  });

  it.each([
    [{ name: 'ci', scopes: [] }, 'scopes'],
    [{ name: 'ci', scopes: ['root'] }, 'scopes'],
    [{ name: ' ', scopes: ['chat'] }, 'name'],
    [{ name: 'ci', scopes: ['chat'], expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    [{ name: 'ci', scopes: ['chat'], expires_at: 'tomorrow' }, 'expires_at'],
    [{ name: 'ci', scopes: ['chat'], owner_id: 'x' }, 'owner_id'],
    [{ name: 'ci', scopes: ['chat'], limits: { requests_per_minute: 0 } }, 'requests_per_minute'],
    [{ name: 'ci', scopes: ['chat'], limits: { tokens_per_day: 0 } }, 'tokens_per_day'],
    [{ name: 'ci', scopes: ['chat'], limits: { tokens_per_day: 1.5 } }, 'tokens_per_day'],
    [{ name: 'ci', scopes: ['chat'], limits: { tokens_per_month: 1 } }, 'tokens_per_month'],
  ])('answers 400 to a new key %j, naming %s', async (body, field) => {
    const answer = await api.post('/api/v1/auth/keys', body, token);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid']);
    expect(answer.text).toContain(field);
  });

  it('answers a wrong password and an unknown e-mail alike, and the 11th with 429 and Retry-After', async () => {
    const me = await api.get('/api/v1/auth/me', token);
    const { email } = me.json.user as unknown as { email: string };
    const wrong = await api.post('/api/v1/auth/login', { email, password: 'not the right password' });
    const unknown = await api.post('/api/v1/auth/login', person('nobody@example.org'));
    expect([wrong.status, wrong.json.code]).toEqual([401, 'unauthenticated']);
    expect({ ...unknown.json, request_id: '' }).toEqual({ ...wrong.json, request_id: '' });
    for (let n = 0; n < 9; n += 1) await api.post('/api/v1/auth/login', { email, password: 'not the right password' });
    const limited = await api.post('/api/v1/auth/login', person(email));
    expect([limited.status, limited.json.code]).toEqual([429, 'rate_limited']);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(limited.headers.get('retry-after'))).toBeLessThanOrEqual(60);
  });
});

describe('The first registration', () => {
  const forwarding = [
    'Forwarded',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Real-IP',
    'Via',
    'CF-Connecting-IP',
    'X-Original-URL',
  ];

  it('needs the setup token when anything forwarded the request or another host was asked for', async () => {
    const api = await startApi({ database: 'embedded', env: { PUBLIC_HOSTS: 'localhost,127.0.0.1,box.example.org' } });
    try {
      for (const name of forwarding)
        expect([name, await postAs(api, REGISTER, person('a@example.org'), { [name]: '127.0.0.1' })]).toEqual([name, 403]);
      expect(await postAs(api, REGISTER, person('a@example.org'), { host: 'box.example.org' })).toBe(403);
      expect(await postAs(api, REGISTER, person('a@example.org'), { host: '127.0.0.1.evil.example.org' })).toBe(400);
      const { setupToken } = api.app.get(Setup, { strict: false }).firstStart;
      const withToken = { ...person('a@example.org'), setup_token: setupToken };
      expect(await postAs(api, REGISTER, { ...withToken, setup_token: 'wrong' }, { host: 'box.example.org' })).toBe(403);
      expect(await postAs(api, REGISTER, withToken, { host: 'box.example.org' })).toBe(201);
    } finally {
      await api.close();
    }
  });

  it('is made by the server itself from ADMIN_EMAIL and ADMIN_PASSWORD, once', async () => {
    const api = await startApi({ database: 'embedded', env: { ADMIN_EMAIL: 'root@example.org', ADMIN_PASSWORD: PASSWORD } });
    try {
      expect((await api.post(REGISTER, person('a@example.org'))).status).toBe(403);
      await api.restart();
      const login = await api.post('/api/v1/auth/login', person('root@example.org'));
      expect(login.json.user).toMatchObject({ instance_admin: true });
      expect((await api.get('/api/v1/auth/me', String(login.json.access_token))).json).toMatchObject({ role: 'owner' });
    } finally {
      await api.close();
    }
  });

  it('survives a restart, as do its tokens', async () => {
    const api = await startApi({ database: 'embedded' });
    try {
      const { accessToken, refreshToken } = await api.register();
      await api.restart();
      expect((await api.get('/api/v1/auth/me', accessToken)).status).toBe(200);
      expect((await api.post('/api/v1/auth/refresh', { refresh_token: refreshToken })).status).toBe(200);
      expect((await api.post(REGISTER, person('b@example.org'))).status).toBe(403);
    } finally {
      await api.close();
    }
  });
});
