import { PostgresClient, sql, type Sql } from '@backing/postgres';
import { startApi, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { PASSWORD } from '../support/identity';
import { OPEN, invite, join, login, personOf, settle, type Person } from '../support/teams';

const ACCEPT = '/api/v1/auth/accept';
const OTHER_PASSWORD = 'another horse, another staple';
const members = (workspaceId: string): string => `/api/v1/workspaces/${workspaceId}/members`;
const member = (workspaceId: string, { id }: Person): string => `${members(workspaceId)}/${id}`;

describeDatabases('Members and invitations', (kind) => {
  let api: TestApi;
  let owner: Person;
  let root: Person;
  let count = 0;
  const email = (name: string): string => `${name}-${(count += 1)}@example.org`;

  beforeAll(async () => {
    api = await startApi({ database: kind, env: OPEN });
    owner = personOf(await api.post('/api/v1/auth/register', { email: 'owner@example.org', password: PASSWORD }));
    root = personOf(await api.post('/api/v1/auth/register', { email: 'root@example.org', password: PASSWORD }));
  });
  afterAll(() => api?.close());

  const patch = (path: string, body: unknown, token: string, ifMatch?: string) =>
    api.request(path, { method: 'PATCH', body, token, headers: ifMatch === undefined ? {} : { 'if-match': ifMatch } });
  const register = (name: string): Promise<Person> => settle(api, root, email(name));
  const rowsOf = (statement: Sql) => api.app.get(PostgresClient, { strict: false }).query(statement);
  const failure = ({ status, json }: { status: number; json: Record<string, unknown> }) => [status, json.code];

  describe('invitations', () => {
    it('make a person and a member: no workspace of their own, signed in where they were invited', async () => {
      const address = email('new');
      const issued = await api.post(members(owner.workspaceId), { email: `  ${address.toUpperCase()} `, role: 'editor' }, owner.token);
      expect(issued.status).toBe(201);
      const { id, invite_token } = issued.json as Record<string, unknown>;
      expect(issued.json).toEqual({
        id,
        email: address,
        role: 'editor',
        workspace: { id: owner.workspaceId, name: 'owner' },
        invite_token: expect.stringMatching(/^inv-[\w-]{43}$/),
        created_at: expect.any(String),
        expires_at: expect.any(String),
      });
      expect(Date.parse(String(issued.json.expires_at)) - Date.parse(String(issued.json.created_at))).toBe(72 * 3_600_000);
      expect(issued.headers.get('location')).toBe(`/api/v1/workspaces/${owner.workspaceId}/invitations/${String(id)}`);
      const accepted = await api.post(ACCEPT, { invite_token, password: PASSWORD, name: 'Newcomer' });
      expect(accepted.status).toBe(200);
      expect(accepted.json).toMatchObject({
        user: { email: address, name: 'Newcomer', instance_admin: false },
        workspace: { id: owner.workspaceId, name: 'owner', role: 'editor' },
      });
      const own = await api.get('/api/v1/workspaces', personOf(accepted).token);
      expect((own.json.data as unknown as { id: string }[]).map((workspace) => workspace.id)).toEqual([owner.workspaceId]);
      expect((await login(api, address)).workspaceId).toBe(owner.workspaceId);
    });

    it('let somebody with an account in by their own password, in any number of workspaces', async () => {
      const guest = await register('guest');
      const invite_token = await invite(api, owner, guest.email, 'viewer');
      expect(failure(await api.post(ACCEPT, { invite_token, password: OTHER_PASSWORD }))).toEqual([401, 'unauthenticated']);
      const accepted = await api.post(ACCEPT, { invite_token, password: PASSWORD, name: 'Somebody else' });
      expect([accepted.status, personOf(accepted).id, accepted.json.workspace]).toEqual([
        200,
        guest.id,
        { id: owner.workspaceId, name: 'owner', role: 'viewer' },
      ]);
      expect(accepted.json.user).toMatchObject({ name: null });
      expect((await api.get('/api/v1/auth/me', guest.token)).json.workspace).toMatchObject({ id: guest.workspaceId });
    });

    it('do not let a suspended person in', async () => {
      const guest = await register('suspended');
      const invite_token = await invite(api, owner, guest.email, 'viewer');
      await rowsOf(sql`UPDATE users SET status = 'suspended' WHERE id = ${guest.id}::uuid`);
      expect(failure(await api.post(ACCEPT, { invite_token, password: PASSWORD }))).toEqual([401, 'unauthenticated']);
    });

    it('answer alike to a token that is wrong, used, taken back, replaced, or too old', async () => {
      const used = await invite(api, owner, email('used'), 'viewer');
      expect((await api.post(ACCEPT, { invite_token: used, password: PASSWORD })).status).toBe(200);
      const address = email('replaced');
      const replaced = await invite(api, owner, address, 'viewer');
      const replacing = await invite(api, owner, address, 'viewer');
      const back = await api.post(members(owner.workspaceId), { email: email('back'), role: 'viewer' }, owner.token);
      const path = String(back.headers.get('location'));
      expect((await api.delete(path, owner.token)).status).toBe(204);
      expect((await api.delete(path, owner.token)).status).toBe(404);
      const old = await invite(api, owner, email('old'), 'viewer');
      await rowsOf(sql`UPDATE invitations SET expires_at = now() - interval '1 second' WHERE email LIKE 'old-%'`);
      const answers: string[] = [];
      for (const invite_token of ['inv-', 'x'.repeat(512), used, ` ${replaced}`, replaced, String(back.json.invite_token), old]) {
        const answer = await api.post(ACCEPT, { invite_token, password: PASSWORD });
        answers.push(JSON.stringify({ ...answer.json, request_id: '' }));
        expect(answer.status).toBe(400);
      }
      expect(new Set(answers).size).toBe(1);
      expect(JSON.parse(answers[0] ?? '')).toMatchObject({ code: 'invalid', errors: [{ path: 'invite_token' }] });
      expect((await api.post(ACCEPT, { invite_token: replacing, password: PASSWORD })).status).toBe(200);
    });

    it('are good once, however many accept at the same time', async () => {
      const invite_token = await invite(api, owner, email('crowd'), 'viewer');
      const answers = await Promise.all(Array.from({ length: 50 }, () => api.post(ACCEPT, { invite_token, password: PASSWORD })));
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      const refused = statuses.filter((status) => status !== 200);
      expect(refused.filter((status) => status !== 400 && status !== 429)).toEqual([]);
      const rows = await rowsOf(sql`SELECT 1 FROM users WHERE email LIKE 'crowd-%'`);
      expect(rows).toHaveLength(1);
      // Forgets the refused ones, which the address of all these tests would have to wait for.
      await api.restart();
    }, 120_000);

    it('die with the right of the one who wrote them', async () => {
      const admin = await join(api, owner, email('admin'), 'admin');
      const demoted = await invite(api, admin, email('a'), 'editor');
      const removed = await join(api, owner, email('admin'), 'admin');
      const back = await invite(api, removed, removed.email.replace('admin', 'again'), 'admin');
      await patch(member(owner.workspaceId, admin), { role: 'editor' }, owner.token);
      expect((await api.delete(member(owner.workspaceId, removed), owner.token)).status).toBe(204);
      for (const invite_token of [demoted, back])
        expect(failure(await api.post(ACCEPT, { invite_token, password: PASSWORD }))).toEqual([400, 'invalid']);
    });

    it.each([
      [{ password: PASSWORD }, 'invite_token'],
      [{ invite_token: 'inv-x', reset_token: 'pr-x', password: PASSWORD }, 'invite_token'],
      [{ invite_token: '', password: PASSWORD }, 'invite_token'],
      [{ invite_token: null, password: PASSWORD }, 'invite_token'],
      [{ invite_token: 'inv-x', password: 'short' }, 'password'],
      [{ invite_token: 'inv-x', password: PASSWORD, role: 'owner' }, 'role'],
    ])('are not accepted with %j', async (body, field) => {
      const answer = await api.post(ACCEPT, body);
      expect([answer.status, (answer.json.errors as unknown as { path: string }[])[0]?.path]).toEqual([400, field]);
    });

    it('are written by admins, up to their own role, for who is not a member yet', async () => {
      const admin = await join(api, owner, email('admin'), 'admin');
      const editor = await join(api, owner, email('editor'), 'editor');
      const stranger = await register('stranger');
      const ask = (token: string, role: string, address = email('x')) =>
        api.post(members(owner.workspaceId), { email: address, role }, token).then(failure);
      expect(await ask(admin.token, 'owner')).toEqual([403, 'forbidden']);
      expect(await ask(admin.token, 'admin')).toEqual([201, undefined]);
      expect(await ask(owner.token, 'owner')).toEqual([201, undefined]);
      expect(await ask(editor.token, 'viewer')).toEqual([403, 'forbidden']);
      expect(await ask(stranger.token, 'viewer')).toEqual([404, 'not_found']);
      expect(await ask(admin.token, 'viewer', editor.email)).toEqual([409, 'conflict']);
      expect(await ask(admin.token, 'viewer', 'nonsense')).toEqual([400, 'invalid']);
      expect(await ask(admin.token, 'root')).toEqual([400, 'invalid']);
      const atHome = await api.post('/api/v1/users', { email: email('x'), role: 'viewer' }, admin.token);
      expect([atHome.status, atHome.json.workspace]).toEqual([201, { id: owner.workspaceId, name: 'owner' }]);
      expect(failure(await api.post('/api/v1/users', { email: email('x'), role: 'viewer' }, editor.token))).toEqual([403, 'forbidden']);
    });

    it('are listed for admins without their tokens', async () => {
      const home = await register('lister');
      const address = email('listed');
      const token = await invite(api, home, address, 'viewer');
      const path = `/api/v1/workspaces/${home.workspaceId}/invitations`;
      const list = await api.get(path, home.token);
      expect(list.json.data).toEqual([
        expect.objectContaining({ email: address, role: 'viewer', invited_by: home.id, expires_at: expect.any(String) }),
      ]);
      expect(list.text).not.toContain(token);
      expect(failure(await api.get(path, owner.token))).toEqual([404, 'not_found']);
      const viewer = personOf(await api.post(ACCEPT, { invite_token: token, password: PASSWORD }));
      expect(failure(await api.get(path, viewer.token))).toEqual([403, 'forbidden']);
      expect((await api.get(path, home.token)).json.data).toEqual([]);
    });

    it('with a key need the scope admin, in the workspace of the key', async () => {
      const admin = await join(api, owner, email('keyadmin'), 'admin');
      const there = personOf(await api.post('/api/v1/auth/switch', { workspace_id: owner.workspaceId }, admin.token));
      const full = await api.key(there.token, ['admin']);
      const small = await api.key(there.token, ['chat', 'documents:write']);
      const ask = (key: string, workspaceId: string) =>
        api.post(members(workspaceId), { email: email('bykey'), role: 'viewer' }, key).then(({ status }) => status);
      expect(await ask(full, owner.workspaceId)).toBe(201);
      expect(await ask(small, owner.workspaceId)).toBe(403);
      const own = await api.post('/api/v1/workspaces', { name: 'own' }, admin.token);
      expect(await ask(full, String(own.json.id))).toBe(404);
    });
  });

  describe('members', () => {
    it('see each other, and strangers see nothing', async () => {
      const viewer = await join(api, owner, email('viewer'), 'viewer');
      const stranger = await register('stranger');
      const found = await api.get(member(owner.workspaceId, owner), viewer.token);
      expect([found.status, found.json]).toEqual([
        200,
        { id: owner.id, email: owner.email, name: null, role: 'owner', joined_at: expect.any(String) },
      ]);
      const list = await api.get(`${members(owner.workspaceId)}?limit=100`, viewer.token);
      expect((list.json.data as unknown as { id: string }[]).map(({ id }) => id)).toEqual(expect.arrayContaining([owner.id, viewer.id]));
      for (const path of [members(owner.workspaceId), member(owner.workspaceId, owner), `/api/v1/workspaces/${owner.workspaceId}`]) {
        const refused = await api.get(path, stranger.token);
        const unknown = await api.get(path.replace(owner.workspaceId, '0197a5b0-0000-7000-8000-000000000000'), stranger.token);
        expect({ ...refused.json, request_id: '' }).toEqual({ ...unknown.json, request_id: '' });
        expect(failure(refused)).toEqual([404, 'not_found']);
      }
    });

    it('get the rights of a new role at once, conditionally on what was read', async () => {
      const person = await join(api, owner, email('promoted'), 'viewer');
      const path = member(owner.workspaceId, person);
      const create = () => api.post('/api/v1/vectors/collections', { name: `c${(count += 1)}`, dimensions: 4 }, person.token);
      expect((await create()).status).toBe(403);
      const etag = (await api.get(path, owner.token)).headers.get('etag') ?? '';
      const changed = await patch(path, { role: 'editor' }, owner.token, etag);
      expect([changed.status, changed.json.role, changed.headers.get('etag')]).toEqual([200, 'editor', '"2"']);
      expect((await create()).status).toBe(201);
      expect(failure(await patch(path, { role: 'admin' }, owner.token, etag))).toEqual([412, 'precondition_failed']);
      expect(failure(await api.request(path, { method: 'DELETE', token: owner.token, headers: { 'if-match': etag } }))).toEqual([
        412,
        'precondition_failed',
      ]);
      await patch(path, { role: 'viewer' }, owner.token);
      expect((await create()).status).toBe(403);
    });

    it('are changed by admins, owners only by owners', async () => {
      const admin = await join(api, owner, email('admin'), 'admin');
      const editor = await join(api, owner, email('editor'), 'editor');
      expect(failure(await patch(member(owner.workspaceId, admin), { role: 'owner' }, admin.token))).toEqual([403, 'forbidden']);
      expect(failure(await patch(member(owner.workspaceId, owner), { role: 'viewer' }, admin.token))).toEqual([403, 'forbidden']);
      expect(failure(await api.delete(member(owner.workspaceId, owner), admin.token))).toEqual([403, 'forbidden']);
      expect(failure(await patch(member(owner.workspaceId, editor), { role: 'admin' }, editor.token))).toEqual([403, 'forbidden']);
      expect(failure(await api.delete(member(owner.workspaceId, admin), editor.token))).toEqual([403, 'forbidden']);
      expect(failure(await patch(member(owner.workspaceId, editor), { role: 'admin' }, admin.token))).toEqual([200, undefined]);
    });

    it('lose every way in when they are removed, and may leave themselves', async () => {
      const guest = await register('guest');
      const invite_token = await invite(api, owner, guest.email, 'admin');
      const there = personOf(await api.post(ACCEPT, { invite_token, password: PASSWORD }));
      const key = await api.key(there.token, ['chat']);
      expect((await api.get('/api/v1/auth/me', key)).status).toBe(200);
      expect((await api.delete(member(owner.workspaceId, guest), owner.token)).status).toBe(204);
      for (const bearer of [there.token, key]) expect((await api.get('/api/v1/auth/me', bearer)).status).toBe(401);
      expect((await api.post('/api/v1/auth/refresh', { refresh_token: there.refreshToken })).status).toBe(401);
      expect((await api.get('/api/v1/auth/me', guest.token)).status).toBe(200);
      expect(failure(await api.post('/api/v1/auth/switch', { workspace_id: owner.workspaceId }, guest.token))).toEqual([404, 'not_found']);
      // Whoever comes back comes without the keys of before.
      await api.post(ACCEPT, { invite_token: await invite(api, owner, guest.email, 'viewer'), password: PASSWORD });
      expect((await api.get('/api/v1/auth/me', key)).status).toBe(401);
      expect((await api.delete(member(owner.workspaceId, guest), guest.token)).status).toBe(204);
    });

    it('always include an owner', async () => {
      const first = await register('first');
      const path = (who: Person) => member(first.workspaceId, who);
      expect(failure(await api.delete(path(first), first.token))).toEqual([409, 'conflict']);
      expect(failure(await patch(path(first), { role: 'admin' }, first.token))).toEqual([409, 'conflict']);
      const second = await join(api, first, email('second'), 'owner');
      const both = await Promise.all([
        patch(path(second), { role: 'viewer' }, first.token),
        patch(path(first), { role: 'viewer' }, second.token),
      ]);
      expect(both.map(({ status }) => status).sort()).toEqual([200, 403]);
      const owners = await rowsOf(sql`SELECT 1 FROM memberships WHERE workspace_id = ${first.workspaceId}::uuid AND role = 'owner'`);
      expect(owners).toHaveLength(1);
    });

    it('always include an owner when all leave at the same time', async () => {
      const first = await register('first');
      const others = [await join(api, first, email('o'), 'owner'), await join(api, first, email('o'), 'owner')];
      const all = [first, ...others];
      const answers = await Promise.all(all.map((who) => api.delete(member(first.workspaceId, who), who.token)));
      expect(answers.map(({ status }) => status).sort()).toEqual([204, 204, 409]);
    });
  });

  describe('switching', () => {
    it('opens another login in a workspace of one’s own, and leaves this one', async () => {
      const guest = await register('switcher');
      await api.post(ACCEPT, { invite_token: await invite(api, owner, guest.email, 'viewer'), password: PASSWORD });
      const there = personOf(await api.post('/api/v1/auth/switch', { workspace_id: owner.workspaceId }, guest.token));
      const me = await api.get('/api/v1/auth/me', there.token);
      expect(me.json.workspace).toEqual({ id: owner.workspaceId, name: 'owner', role: 'viewer' });
      const refreshed = await api.post('/api/v1/auth/refresh', { refresh_token: there.refreshToken });
      expect(refreshed.json.workspace).toMatchObject({ id: owner.workspaceId });
      expect((await api.post('/api/v1/auth/logout', undefined, there.token)).status).toBe(204);
      expect((await api.get('/api/v1/auth/me', guest.token)).json.workspace).toMatchObject({ id: guest.workspaceId });
    });

    it('is refused to strangers and keys', async () => {
      const guest = await register('switcher');
      expect(failure(await api.post('/api/v1/auth/switch', { workspace_id: owner.workspaceId }, guest.token))).toEqual([404, 'not_found']);
      const key = await api.key(guest.token, ['admin']);
      expect(failure(await api.post('/api/v1/auth/switch', { workspace_id: guest.workspaceId }, key))).toEqual([403, 'forbidden']);
      expect(failure(await api.post('/api/v1/auth/switch', { workspace_id: 'mine' }, guest.token))).toEqual([400, 'invalid']);
    });
  });
});
