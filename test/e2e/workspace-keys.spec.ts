import { PostgresClient, sql } from '@backing/postgres';
import { SCOPES, type Scope } from '@kernel/identity';
import { startApi, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { PASSWORD } from '../support/identity';
import { join, OPEN, personOf, type Person } from '../support/teams';

const KEYS = '/api/v1/auth/keys';
const WORK: Scope[] = ['chat', 'documents:read', 'documents:write', 'jobs:read'];

interface Key {
  id: string;
  secret: string;
}

describeDatabases('Keys of a workspace', (kind) => {
  let api: TestApi;
  let root: Person;
  let admin: Person;
  let colleague: Person;
  let editor: Person;

  const statusAndCode = ({ status, json }: { status: number; json?: Record<string, unknown> }) => [status, json?.code];
  const rows = <T>(statement: ReturnType<typeof sql>) => api.app.get(PostgresClient, { strict: false }).query<T>(statement);
  const create = (token: string, body: object = {}) => api.post(KEYS, { name: 'ci', scopes: WORK, owner: 'workspace', ...body }, token);
  const made = async (token: string, body: object = {}): Promise<Key> => {
    const { status, json, text } = await create(token, body);
    if (status !== 201) throw new Error(`Making a key answered ${status}: ${text}`);
    return json as unknown as Key;
  };
  const idsOf = ({ json }: { json: Record<string, unknown> }) => (json.data as { id: string }[]).map(({ id }) => id);
  const setRole = ({ id, workspaceId }: Person, role: string) =>
    api.request(`/api/v1/workspaces/${workspaceId}/members/${id}`, { method: 'PATCH', body: { role }, token: root.token });

  beforeAll(async () => {
    api = await startApi({ database: kind, env: OPEN });
    root = personOf(await api.post('/api/v1/auth/register', { email: 'root@example.org', password: PASSWORD }));
    admin = await join(api, root, 'admin@example.org', 'admin');
    colleague = await join(api, root, 'colleague@example.org', 'admin');
    editor = await join(api, root, 'editor@example.org', 'editor');
  });
  afterAll(() => api?.close());

  it('act as a user of their own, whom no list knows and nobody can be', async () => {
    const key = await made(admin.token, { name: 'Nightly import' });
    const me = await api.get('/api/v1/auth/me', key.secret);
    expect(me.json).toMatchObject({
      user: { name: 'Nightly import', instance_admin: false },
      workspace: { id: admin.workspaceId, role: 'admin' },
      scopes: SCOPES.filter((scope) => WORK.includes(scope)),
      key: { id: key.id, owner: 'workspace', made_by: admin.id },
    });
    const { id, email } = me.json.user as unknown as { id: string; email: string };
    expect([admin.id, root.id]).not.toContain(id);
    expect(idsOf(await api.get(`/api/v1/workspaces/${admin.workspaceId}/members?limit=100`, root.token))).not.toContain(id);
    expect(idsOf(await api.get('/api/v1/users?limit=100', root.token))).not.toContain(id);
    expect((await api.get(`/api/v1/users/${id}`, root.token)).status).toBe(404);
    expect((await api.post('/api/v1/auth/login', { email, password: '!' })).status).toBe(401);
  });

  it('and their maker see nothing private of each other', async () => {
    const key = await made(admin.token);
    const session = (token: string) => api.post('/api/v1/chat/sessions', { title: 'Private' }, token);
    const theirs = String((await session(key.secret)).json.id);
    const own = String((await session(admin.token)).json.id);
    const other = String((await session((await made(admin.token)).secret)).json.id);
    for (const id of [own, other]) expect((await api.get(`/api/v1/chat/sessions/${id}`, key.secret)).status).toBe(404);
    for (const { token } of [admin, root]) expect((await api.get(`/api/v1/chat/sessions/${theirs}`, token)).status).toBe(404);
    expect(idsOf(await api.get('/api/v1/chat/sessions', key.secret))).toEqual([theirs]);
  });

  it('share what the workspace shares, and what they make stays when they go', async () => {
    const key = await made(admin.token);
    const document = await api.post('/api/v1/documents', { name: 'a.txt', text: 'Made by a key.' }, key.secret);
    expect(document.status).toBe(202);
    const { id } = document.json.document as unknown as { id: string };
    expect((await api.get(`/api/v1/documents/${id}`, editor.token)).status).toBe(200);
    expect((await api.delete(`${KEYS}/${key.id}`, colleague.token)).status).toBe(204);
    expect((await api.get('/api/v1/auth/me', key.secret)).status).toBe(401);
    expect((await api.get(`/api/v1/documents/${id}`, editor.token)).status).toBe(200);
  });

  it('are made, listed and deleted by every admin, and by nobody else', async () => {
    const key = await made(admin.token);
    const own = (await api.post(KEYS, { name: 'mine', scopes: ['chat'] }, admin.token)).json as unknown as Key & { owner: string };
    expect(own.owner).toBe('me');
    const listed = await api.get(`${KEYS}?owner=workspace&limit=100`, colleague.token);
    expect(idsOf(listed)).toContain(key.id);
    expect(idsOf(listed)).not.toContain(own.id);
    expect(listed.text).not.toContain(key.secret);
    expect(idsOf(await api.get(`${KEYS}?limit=100`, admin.token))).not.toContain(key.id);
    for (const refused of [await create(editor.token), await api.get(`${KEYS}?owner=workspace`, editor.token)])
      expect(statusAndCode(refused)).toEqual([403, 'forbidden']);
    const wide = await made(root.token, { scopes: ['admin', 'chat'] });
    expect(statusAndCode(await create(wide.secret))).toEqual([403, 'forbidden']);
    for (const path of [`${KEYS}/${key.id}`, `${KEYS}/${own.id}`])
      expect(statusAndCode(await api.delete(path, editor.token))).toEqual([404, 'not_found']);
    expect(statusAndCode(await api.delete(`${KEYS}/${own.id}`, colleague.token))).toEqual([404, 'not_found']);
    expect((await api.delete(`${KEYS}/${key.id}`, colleague.token)).status).toBe(204);
    expect(statusAndCode(await api.delete(`${KEYS}/${key.id}`, admin.token))).toEqual([404, 'not_found']);
  });

  it('of another workspace cannot be reached', async () => {
    const stranger = personOf(await api.post('/api/v1/auth/register', { email: `stranger@example.org`, password: PASSWORD }));
    const key = await made(admin.token);
    expect(idsOf(await api.get(`${KEYS}?owner=workspace`, stranger.token))).toEqual([]);
    expect(statusAndCode(await api.delete(`${KEYS}/${key.id}`, stranger.token))).toEqual([404, 'not_found']);
    expect(
      (await api.get(`/api/v1/workspaces/${stranger.workspaceId}`, (await made(root.token, { scopes: ['admin'] })).secret)).status,
    ).toBe(404);
  });

  it('get only scopes that their maker has, and none over the instance', async () => {
    expect(statusAndCode(await create(admin.token, { scopes: ['chat', 'models:write'] }))).toEqual([403, 'forbidden']);
    const refused = await create(root.token, { scopes: ['models:write'] });
    expect(statusAndCode(refused)).toEqual([403, 'forbidden']);
    expect(refused.json.detail).toContain('models:write');
    const key = await made(root.token, { scopes: ['admin'] });
    expect(statusAndCode(await api.get('/api/v1/users', key.secret))).toEqual([403, 'forbidden']);
    expect(statusAndCode(await api.get('/api/v1/audit?scope=instance', key.secret))).toEqual([403, 'forbidden']);
    expect((await api.get('/api/v1/audit', key.secret)).status).toBe(200);
  });

  it('can do at any moment only what their maker can', async () => {
    const maker = await join(api, root, 'maker@example.org', 'admin');
    const key = await made(maker.token, { scopes: ['admin', 'documents:write', 'chat'] });
    const scopes = async () => (await api.get('/api/v1/auth/me', key.secret)).json.scopes;
    expect(await scopes()).toEqual(['chat', 'documents:write', 'admin']);
    await setRole(maker, 'editor');
    expect(await scopes()).toEqual(['chat', 'documents:write']);
    await setRole(maker, 'viewer');
    expect(await scopes()).toEqual(['chat']);
    expect(statusAndCode(await api.post('/api/v1/documents', { name: 'a', text: 'b' }, key.secret))).toEqual([403, 'forbidden']);
    await setRole(maker, 'admin');
    expect(await scopes()).toEqual(['chat', 'documents:write', 'admin']);
    expect((await api.delete(`/api/v1/workspaces/${maker.workspaceId}/members/${maker.id}`, root.token)).status).toBe(204);
    expect((await api.get('/api/v1/auth/me', key.secret)).status).toBe(401);
  });

  it('keep their own limits, and are written down when made and deleted', async () => {
    const body = { limits: { requests_per_minute: 2, tokens_per_day: 1_000 }, expires_at: '2999-01-01T00:00:00.000Z' };
    const key = await made(admin.token, body);
    const first = await api.get('/api/v1/auth/me', key.secret);
    expect(first.headers.get('x-ratelimit-limit')).toBe('2');
    expect(first.json.key).toMatchObject({ ...body, tokens_today: { used: 0, reserved: 0, left: 1_000 } });
    await api.get('/api/v1/auth/me', key.secret);
    expect(statusAndCode(await api.get('/api/v1/auth/me', key.secret))).toEqual([429, 'rate_limited']);
    await api.delete(`${KEYS}/${key.id}`, colleague.token);
    const entries = await rows(
      sql`SELECT action, actor_id, workspace_id, details FROM audit_entries WHERE subject_kind = 'key' AND subject_id = ${key.id} ORDER BY id`,
    );
    const { workspaceId: workspace_id } = admin;
    expect(entries).toEqual([
      {
        action: 'key.created',
        actor_id: admin.id,
        workspace_id,
        details: { owner: 'workspace', scopes: WORK.join(' '), expires_at: body.expires_at },
      },
      { action: 'key.deleted', actor_id: colleague.id, workspace_id, details: { owner: 'workspace' } },
    ]);
  });
});
