import { PostgresClient, sql } from '@backing/postgres';
import { startApi, type TestApi } from '../support/api';
import { ChatBench } from '../support/chat';
import { describeDatabases } from '../support/databases';
import { PASSWORD } from '../support/identity';
import { OPEN, invite, join, login, personOf, settle, type Person } from '../support/teams';

const USERS = '/api/v1/users';
const ACCEPT = '/api/v1/auth/accept';
const NEW_PASSWORD = 'another horse, another staple';

describeDatabases('People', (kind) => {
  let api: TestApi;
  let root: Person;
  let count = 0;
  const email = (name: string): string => `${name}-${(count += 1)}@example.org`;

  beforeAll(async () => {
    api = await startApi({ database: kind, env: { ...OPEN, AUTH_REGISTRATION: 'closed' } });
    root = personOf(await api.post('/api/v1/auth/register', { email: 'root@example.org', password: PASSWORD }));
  });
  afterAll(() => api?.close());

  const client = () => api.app.get(PostgresClient, { strict: false });
  const someone = (name = 'someone'): Promise<Person> => settle(api, root, email(name));
  const user = ({ id }: { id: string }): string => `${USERS}/${id}`;
  const patch = (path: string, body: unknown, token: string, ifMatch?: string) =>
    api.request(path, { method: 'PATCH', body, token, headers: ifMatch === undefined ? {} : { 'if-match': ifMatch } });
  const failure = ({ status, json }: { status: number; json: Record<string, unknown> }) => [status, json.code];
  const works = async (bearer: string): Promise<number> => (await api.get('/api/v1/auth/me', bearer)).status;

  it('are seen by instance admins and by themselves alone', async () => {
    const [one, other] = [await someone(), await someone()];
    const own = await api.get(user(one), one.token);
    expect([own.status, own.headers.get('etag')]).toEqual([200, '"1"']);
    expect(own.json).toEqual({
      id: one.id,
      email: one.email,
      name: null,
      instance_admin: false,
      status: 'active',
      created_at: expect.any(String),
    });
    expect((await api.get(user(one), root.token)).json).toEqual(own.json);
    const refused = await api.get(user(one), other.token);
    const unknown = await api.get(`${USERS}/0197a5b0-0000-7000-8000-000000000000`, other.token);
    expect([refused.status, { ...refused.json, request_id: '' }]).toEqual([404, { ...unknown.json, request_id: '' }]);
    expect(failure(await api.get(USERS, one.token))).toEqual([403, 'forbidden']);
    const all = await api.get(`${USERS}?limit=100`, root.token);
    expect((all.json.data as unknown as { id: string }[]).map(({ id }) => id)).toEqual(expect.arrayContaining([one.id, other.id, root.id]));
  });

  it('are governed with keys only of the scope admin', async () => {
    const person = await someone();
    const full = await api.key(root.token, ['admin']);
    const small = await api.key(root.token, ['chat', 'models:write']);
    expect((await api.get(USERS, full)).status).toBe(200);
    expect((await api.get(USERS, small)).status).toBe(403);
    expect((await api.get(user(person), small)).status).toBe(404);
    expect(failure(await patch(user(person), { status: 'suspended' }, small))).toEqual([404, 'not_found']);
    const own = await api.key(person.token, ['admin']);
    expect(failure(await patch(user(person), { name: 'By key' }, own))).toEqual([404, 'not_found']);
  });

  it('name themselves under If-Match, and nothing more', async () => {
    const person = await someone();
    const named = await patch(user(person), { name: 'Ada' }, person.token, '"1"');
    expect([named.status, named.json.name, named.headers.get('etag')]).toEqual([200, 'Ada', '"2"']);
    expect(failure(await patch(user(person), { name: 'Bob' }, person.token, '"1"'))).toEqual([412, 'precondition_failed']);
    for (const change of [{ instance_admin: true }, { status: 'active' }, { name: 'x', instance_admin: true }])
      expect(failure(await patch(user(person), change, person.token))).toEqual([403, 'forbidden']);
    for (const change of [{}, { email: 'x@example.org' }, { role: 'owner' }, { status: 'deleted' }, { instance_admin: 'yes' }])
      expect(failure(await patch(user(person), change, root.token))).toEqual([400, 'invalid']);
    expect((await api.get(user(person), root.token)).json).toMatchObject({ name: 'Ada', instance_admin: false });
  });

  describe('suspended', () => {
    it('are refused on every door at once, and come back when they are resumed', async () => {
      const person = await someone();
      const key = await api.key(person.token, ['chat', 'models:read']);
      expect((await patch(user(person), { status: 'suspended' }, root.token)).json.status).toBe('suspended');
      for (const bearer of [person.token, key]) expect(await works(bearer)).toBe(401);
      expect((await api.get('/v1/models', key)).status).toBe(401);
      expect((await api.post('/api/v1/auth/refresh', { refresh_token: person.refreshToken })).status).toBe(401);
      const refused = await api.post('/api/v1/auth/login', { email: person.email, password: PASSWORD });
      const wrong = await api.post('/api/v1/auth/login', { email: person.email, password: NEW_PASSWORD });
      expect([refused.status, { ...refused.json, request_id: '' }]).toEqual([401, { ...wrong.json, request_id: '' }]);
      await patch(user(person), { status: 'active' }, root.token);
      expect(await works(person.token)).toBe(401);
      expect(await works(key)).toBe(200);
      expect((await login(api, person.email)).id).toBe(person.id);
    });

    it('are never the last instance admin, nor is that one unmade or deleted', async () => {
      for (const change of [{ status: 'suspended' }, { instance_admin: false }])
        expect(failure(await patch(user(root), change, root.token))).toEqual([409, 'conflict']);
      expect(failure(await api.delete(user(root), root.token))).toEqual([409, 'conflict']);
      expect(await works(root.token)).toBe(200);
    });

    it('leave one instance admin when two unmake each other', async () => {
      const second = await someone('second');
      await patch(user(second), { instance_admin: true }, root.token);
      expect((await api.get(USERS, second.token)).status).toBe(200);
      const both = await Promise.all([
        patch(user(second), { instance_admin: false }, root.token),
        patch(user(root), { instance_admin: false }, second.token),
      ]);
      expect(both.filter(({ status }) => status === 200)).toHaveLength(1);
      // Whoever is late is no admin any more: for the guard already, or only for the transaction.
      expect(both.filter(({ status }) => status === 403 || status === 404)).toHaveLength(1);
      const [left] = await client().query<{ id: string }>(sql`SELECT id FROM users WHERE instance_admin`);
      if (left?.id === second.id) await patch(user(root), { instance_admin: true }, second.token);
      if (left?.id === second.id) await patch(user(second), { instance_admin: false }, root.token);
      expect((await api.get(USERS, second.token)).status).toBe(403);
    });
  });

  describe('passwords', () => {
    const change = (token: string, current_password: string, new_password: string) =>
      api.post('/api/v1/auth/password', { current_password, new_password }, token);

    it('are changed with the current one, which ends every session; keys stay', async () => {
      const person = await someone();
      const other = await login(api, person.email);
      const key = await api.key(person.token, ['chat']);
      const wrong = await change(person.token, NEW_PASSWORD, NEW_PASSWORD);
      expect([wrong.status, wrong.json.code, wrong.json.errors]).toEqual([
        403,
        'forbidden',
        [{ path: 'current_password', message: expect.any(String) }],
      ]);
      expect(failure(await change(person.token, PASSWORD, 'short'))).toEqual([400, 'invalid']);
      expect(await works(person.token)).toBe(200);
      expect((await change(person.token, PASSWORD, NEW_PASSWORD)).status).toBe(204);
      for (const token of [person.token, other.token]) expect(await works(token)).toBe(401);
      for (const refresh_token of [person.refreshToken, other.refreshToken])
        expect((await api.post('/api/v1/auth/refresh', { refresh_token })).status).toBe(401);
      expect(await works(key)).toBe(200);
      expect((await api.post('/api/v1/auth/login', { email: person.email, password: PASSWORD })).status).toBe(401);
      expect((await login(api, person.email, NEW_PASSWORD)).id).toBe(person.id);
      expect(failure(await change(key, NEW_PASSWORD, PASSWORD))).toEqual([403, 'forbidden']);
    });

    it('are guessed here no more often than at the login', async () => {
      const person = await someone();
      const answers: number[] = [];
      for (let n = 0; n < 11; n += 1) answers.push((await change(person.token, `wrong guess number ${n}`, NEW_PASSWORD)).status);
      expect(answers).toEqual([...Array.from({ length: 10 }, () => 403), 429]);
      expect((await api.post('/api/v1/auth/login', { email: person.email, password: PASSWORD })).status).toBe(429);
      // Forgets the failures, which the address of all these tests would have to wait for.
      await api.restart();
    });

    it('are reset by a token of the instance admin, once; it ends every session, and signs in', async () => {
      const person = await someone();
      expect(failure(await api.post(`${user(person)}/reset`, undefined, person.token))).toEqual([403, 'forbidden']);
      const earlier = await api.post(`${user(person)}/reset`, undefined, root.token);
      const issued = await api.post(`${user(person)}/reset`, undefined, root.token);
      expect(issued.status).toBe(201);
      expect(issued.json).toEqual({ reset_token: expect.stringMatching(/^pr-[\w-]{43}$/), expires_at: expect.any(String) });
      const reset_token = issued.json.reset_token;
      const all = await Promise.all(Array.from({ length: 10 }, () => api.post(ACCEPT, { reset_token, password: NEW_PASSWORD })));
      expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 400)]);
      const signedIn = personOf(all.find(({ status }) => status === 200) ?? issued);
      expect([signedIn.id, await works(signedIn.token), await works(person.token)]).toEqual([person.id, 200, 401]);
      expect((await login(api, person.email, NEW_PASSWORD)).id).toBe(person.id);
      const answers = new Set<string>();
      for (const token of [earlier.json.reset_token, reset_token, 'pr-nothing']) {
        const answer = await api.post(ACCEPT, { reset_token: token, password: PASSWORD });
        expect(answer.status).toBe(400);
        answers.add(JSON.stringify({ ...answer.json, request_id: '' }));
      }
      expect(answers.size).toBe(1);
      expect((await api.post(ACCEPT, { invite_token: earlier.json.reset_token, password: PASSWORD })).status).toBe(400);
    });

    it('are not reset by a token that ran out, or after the password was changed', async () => {
      const person = await someone();
      const issue = async (): Promise<string> => String((await api.post(`${user(person)}/reset`, undefined, root.token)).json.reset_token);
      const old = await issue();
      await client().query(sql`UPDATE password_resets SET expires_at = now() - interval '1 second' WHERE used_at IS NULL`);
      expect(failure(await api.post(ACCEPT, { reset_token: old, password: NEW_PASSWORD }))).toEqual([400, 'invalid']);
      const reset_token = await issue();
      await change(person.token, PASSWORD, NEW_PASSWORD);
      expect(failure(await api.post(ACCEPT, { reset_token, password: PASSWORD }))).toEqual([400, 'invalid']);
      await api.restart();
    });

    it.each([[''], [null], [undefined], [{ $ne: '' }], [['x']], [0]])('are not reset by the token %j', async (reset_token) => {
      expect(failure(await api.post(ACCEPT, { reset_token, password: NEW_PASSWORD }))).toEqual([400, 'invalid']);
    });

    it('do not let a suspended person in by a reset', async () => {
      const person = await someone();
      const { reset_token } = (await api.post(`${user(person)}/reset`, undefined, root.token)).json;
      await patch(user(person), { status: 'suspended' }, root.token);
      expect(failure(await api.post(ACCEPT, { reset_token, password: NEW_PASSWORD }))).toEqual([403, 'forbidden']);
      await patch(user(person), { status: 'active' }, root.token);
      expect((await login(api, person.email)).id).toBe(person.id);
    });
  });

  describe('deleted', () => {
    it('lose every way in and their name; what is private goes, what is shared stays', async () => {
      const host = await someone('host');
      const person = await join(api, host, email('leaver'), 'editor');
      const key = await api.key(person.token, ['chat']);
      const mine = await ChatBench.begin(api, person.token, { title: 'Secret plans' });
      const shared = await ChatBench.begin(api, person.token, { title: 'Our plans', visibility: 'workspace' });
      expect((await api.post('/api/v1/vectors/collections', { name: 'ours', dimensions: 4 }, person.token)).status).toBe(201);
      expect((await api.delete(user(person), host.token)).status).toBe(403);
      expect((await api.delete(user(person), root.token)).status).toBe(204);
      for (const bearer of [person.token, key]) expect(await works(bearer)).toBe(401);
      expect((await api.post('/api/v1/auth/login', { email: person.email, password: PASSWORD })).status).toBe(401);
      expect((await api.post('/api/v1/auth/login', { email: `deleted-${person.id}@deleted.invalid`, password: '!' })).status).toBe(401);
      expect((await api.get(user(person), root.token)).status).toBe(404);
      expect((await api.get(`/api/v1/workspaces/${host.workspaceId}/members/${person.id}`, host.token)).status).toBe(404);
      expect((await api.get(shared.path, host.token)).json.title).toBe('Our plans');
      expect((await api.get('/api/v1/vectors/collections/ours', host.token)).status).toBe(200);
      const left = await client().query(sql`SELECT id FROM chat_sessions WHERE id = ${mine.id}::uuid`);
      expect(left).toEqual([]);
      const [row] = await client().query<Record<string, unknown>>(sql`SELECT * FROM users WHERE id = ${person.id}::uuid`);
      expect(row).toMatchObject({ email: `deleted-${person.id}@deleted.invalid`, name: null, status: 'deleted', password_hash: '!' });
      expect((await api.post(`${user(person)}/reset`, undefined, root.token)).status).toBe(404);
      // The e-mail is free again.
      const again = personOf(await api.post(ACCEPT, { invite_token: await invite(api, host, person.email, 'viewer'), password: PASSWORD }));
      expect(again.id).not.toBe(person.id);
    });

    it('are not the only owner of a workspace with others in it; one of their own goes with them', async () => {
      const person = await someone('sole');
      await join(api, person, email('other'), 'admin');
      const refused = await api.delete(user(person), root.token);
      expect([refused.status, refused.json.code, String(refused.json.detail)]).toEqual([
        409,
        'conflict',
        expect.stringContaining(person.workspaceId),
      ]);
      expect(await works(person.token)).toBe(200);
      const alone = await someone('alone');
      expect((await api.delete(user(alone), root.token)).status).toBe(204);
      const open = sql`SELECT id FROM workspaces WHERE id = ${alone.workspaceId}::uuid AND deleted_at IS NULL`;
      expect(await client().query(open)).toEqual([]);
    });
  });

  describe('registration', () => {
    const register = (body: object) => api.post('/api/v1/auth/register', { password: PASSWORD, ...body });

    it('is closed: not even an invitation opens it, accepting one does', async () => {
      const address = email('closed');
      const invite_token = await invite(api, root, address, 'viewer');
      expect(failure(await register({ email: address }))).toEqual([403, 'forbidden']);
      expect(failure(await register({ email: address, invite_token }))).toEqual([403, 'forbidden']);
      expect((await api.post(ACCEPT, { invite_token, password: PASSWORD })).status).toBe(200);
    });
  });
});
