import { PostgresClient, sql } from '@backing/postgres';
import { startApi, type ApiAnswer, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { PASSWORD } from '../support/identity';
import { join, OPEN, personOf, type Person } from '../support/teams';

interface Entry {
  id: string;
  action: string;
  workspace_id: string | null;
  actor: { user_id: string; key_id: string | null } | null;
  subject: { kind: string; id: string } | null;
  details: Record<string, unknown>;
  address: string | null;
  request_id: string | null;
  created_at: string;
}

const AUDIT = '/api/v1/audit';

describeDatabases('The audit log', (kind) => {
  let api: TestApi;
  let root: Person;
  let admin: Person;
  let editor: Person;

  beforeAll(async () => {
    api = await startApi({ database: kind, env: OPEN });
    root = personOf(await api.post('/api/v1/auth/register', { email: 'root@example.org', password: PASSWORD }));
    admin = await join(api, root, 'admin@example.org', 'admin');
    editor = await join(api, root, 'editor@example.org', 'editor');
  });
  afterAll(() => api?.close());

  const entriesOf = ({ status, json, text }: ApiAnswer): Entry[] => {
    if (status !== 200) throw new Error(`The audit answered ${status}: ${text}`);
    return json.data as unknown as Entry[];
  };
  const entries = async (query = '', token = root.token): Promise<Entry[]> => entriesOf(await api.get(`${AUDIT}?limit=100${query}`, token));
  /** What one request writes, oldest first. */
  const writtenBy = async (path: string, options: Parameters<TestApi['request']>[1]): Promise<{ answer: ApiAnswer; written: Entry[] }> => {
    const id = `audit-${Math.random().toString(36).slice(2)}`;
    const answer = await api.request(path, { ...options, headers: { ...options?.headers, 'x-request-id': id } });
    const all = await entries('&scope=instance&order=desc');
    return { answer, written: all.filter(({ request_id }) => request_id === id).reverse() };
  };
  const post = (path: string, body?: unknown, token?: string) => writtenBy(path, { method: 'POST', body, token });

  it('tells of registrations, logins, failed ones and logouts, and never an e-mail or a secret', async () => {
    const credentials = { email: 'editor@example.org', password: PASSWORD };
    const { answer, written } = await post('/api/v1/auth/login', credentials);
    expect(written).toEqual([
      {
        id: expect.any(String),
        action: 'auth.login',
        workspace_id: root.workspaceId,
        actor: { user_id: editor.id, key_id: null },
        subject: { kind: 'user', id: editor.id },
        details: {},
        address: '127.0.0.1',
        request_id: expect.any(String),
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      },
    ]);
    const out = await post('/api/v1/auth/logout', undefined, personOf(answer).token);
    expect(out.written).toMatchObject([{ action: 'auth.logout', actor: { user_id: editor.id } }]);
    for (const email of ['editor@example.org', 'nobody-at-all@example.org']) {
      const failed = await post('/api/v1/auth/login', { email, password: 'wrong, and long enough' });
      expect(failed.answer.status).toBe(401);
      expect(failed.written).toMatchObject([
        {
          action: 'auth.login_failed',
          workspace_id: null,
          actor: null,
          subject: null,
          details: { email_sha256: expect.stringMatching(/^[0-9a-f]{16}$/) },
        },
      ]);
    }
    const everything = JSON.stringify(await api.app.get(PostgresClient, { strict: false }).query(sql`SELECT * FROM audit_entries`));
    for (const secret of ['@example.org', PASSWORD, 'wrong, and', editor.token, editor.refreshToken])
      expect(everything).not.toContain(secret);
    expect((await entries('&scope=instance')).map(({ action }) => action)).toContain('auth.registered');
  });

  it('tells of a refresh token that was used again long after', async () => {
    const { answer } = await post('/api/v1/auth/login', { email: 'editor@example.org', password: PASSWORD });
    const { refreshToken } = personOf(answer);
    expect((await api.post('/api/v1/auth/refresh', { refresh_token: refreshToken })).status).toBe(200);
    await api.app
      .get(PostgresClient, { strict: false })
      .query(sql`UPDATE refresh_tokens SET rotated_at = rotated_at - interval '1 minute' WHERE rotated_at IS NOT NULL`);
    const reused = await post('/api/v1/auth/refresh', { refresh_token: refreshToken });
    expect(reused.answer.status).toBe(401);
    expect(reused.written).toMatchObject([{ action: 'auth.refresh_reused', actor: null, subject: { kind: 'user', id: editor.id } }]);
  });

  it('tells of members, keys and people', async () => {
    const members = `/api/v1/workspaces/${root.workspaceId}/members`;
    const person = await join(api, root, 'passing@example.org', 'viewer');
    const promoted = await writtenBy(`${members}/${person.id}`, { method: 'PATCH', body: { role: 'editor' }, token: admin.token });
    expect(promoted.written).toMatchObject([
      {
        action: 'member.role_changed',
        actor: { user_id: admin.id },
        subject: { id: person.id },
        details: { role: 'editor', previous_role: 'viewer' },
      },
    ]);
    const key = await post('/api/v1/auth/keys', { name: 'k', scopes: ['chat'] }, person.token);
    expect(key.written).toMatchObject([
      { action: 'key.created', subject: { kind: 'key', id: key.answer.json.id }, details: { owner: 'me', scopes: 'chat' } },
    ]);
    const suspended = await writtenBy(`/api/v1/users/${person.id}`, { method: 'PATCH', body: { status: 'suspended' }, token: root.token });
    expect(suspended.written).toMatchObject([{ action: 'user.suspended', workspace_id: null, subject: { id: person.id } }]);
    const removed = await writtenBy(`${members}/${person.id}`, { method: 'DELETE', token: admin.token });
    expect(removed.written).toMatchObject([{ action: 'member.removed', subject: { id: person.id } }]);
    expect((await entries(`&user_id=${person.id}&action=member.joined`)).map(({ actor }) => actor?.user_id)).toEqual([person.id]);
  });

  it('tells of deletions of documents, agents and collections, with who did it, also by a key', async () => {
    const secret = await api.key(admin.token, ['documents:write', 'agents:write', 'vectors:write', 'documents:read']);
    const document = (await api.post('/api/v1/documents', { name: 'a.txt', text: 'b' }, editor.token)).json.document as unknown as {
      id: string;
    };
    const agent = await api.post('/api/v1/agents', { name: 'gone', instructions: 'x', tools: [] }, editor.token);
    expect(agent.status).toBe(201);
    const collection = await api.post('/api/v1/vectors/collections', { name: 'gone' }, editor.token);
    expect(collection.status).toBe(201);
    const gone: [string, string, unknown][] = [
      [`/api/v1/documents/${document.id}`, 'document', document.id],
      [`/api/v1/agents/${String(agent.json.id)}`, 'agent', agent.json.id],
      ['/api/v1/vectors/collections/gone', 'collection', expect.any(String)],
    ];
    for (const [path, what, id] of gone) {
      const { answer, written } = await writtenBy(path, { method: 'DELETE', token: secret });
      expect(answer.status).toBe(204);
      expect(written).toMatchObject([
        {
          action: `${what}.deleted`,
          workspace_id: root.workspaceId,
          actor: { user_id: admin.id, key_id: expect.any(String) },
          subject: { kind: what, id },
        },
      ]);
      expect((await writtenBy(path, { method: 'DELETE', token: secret })).written).toEqual([]);
    }
  });

  it('is read by admins of the workspace, and as a whole by the instance admin', async () => {
    const mine = await entries('', admin.token);
    expect(new Set(mine.map(({ workspace_id }) => workspace_id))).toEqual(new Set([root.workspaceId]));
    const whole = await entries('&scope=instance');
    expect(new Set(whole.map(({ workspace_id }) => workspace_id)).has(null)).toBe(true);
    const stranger = personOf(await api.post('/api/v1/auth/register', { email: 'stranger@example.org', password: PASSWORD }));
    const theirs = await entries('', stranger.token);
    expect(new Set(theirs.map(({ workspace_id }) => workspace_id))).toEqual(new Set([stranger.workspaceId]));
    const refused: [string, string][] = [
      ['', editor.token],
      ['?scope=instance', admin.token],
      ['?scope=instance', stranger.token],
      ['', await api.key(admin.token, ['chat'])],
      ['?scope=instance', await api.key(root.token, ['chat', 'models:write'])],
    ];
    for (const [query, token] of refused) expect((await api.get(AUDIT + query, token)).status).toBe(403);
    expect((await api.get(`${AUDIT}?scope=instance`, await api.key(root.token, ['admin']))).status).toBe(200);
  });

  it('comes in pages, by action, person and time', async () => {
    const [first, second] = await entries('&order=asc');
    const page = await api.get(`${AUDIT}?limit=1&order=asc&after=${first?.id}`, root.token);
    expect(page.json).toMatchObject({ object: 'list', data: [second], first_id: second?.id, last_id: second?.id, has_more: true });
    const joined = await entries('&action=member.joined');
    expect(new Set(joined.map(({ action }) => action))).toEqual(new Set(['member.joined']));
    const since = encodeURIComponent(joined[0]?.created_at ?? '');
    expect((await entries(`&action=member.joined&from=${since}`)).map(({ id }) => id)).toEqual([joined[0]?.id]);
    expect((await entries(`&action=member.joined&to=${since}`)).map(({ id }) => id)).toEqual(joined.slice(1).map(({ id }) => id));
    for (const wrong of ['action=auth.everything', 'user_id=me', 'from=yesterday', 'scope=all', 'actor=x', 'after=1'])
      expect((await api.get(`${AUDIT}?${wrong}`, root.token)).status).toBe(400);
  });

  it.each(['POST', 'PATCH', 'PUT', 'DELETE'])('cannot be changed by %s', async (method) => {
    const before = await entries('&scope=instance');
    expect((await api.request(AUDIT, { method, body: method === 'DELETE' ? undefined : {}, token: root.token })).status).toBe(405);
    expect(await entries('&scope=instance')).toEqual(before);
  });
});
