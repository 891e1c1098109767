import { Authenticator, Users } from '@features/auth';
import { startApi, type TestApi } from '../../support/api';
import { PASSWORD } from '../../support/identity';
import { OPEN, invite, join, login, personOf, settle, type Person } from '../../support/teams';

/** Rights over people and workspaces at their limits: who comes last, who comes back, and what was remembered for a moment. */
describe('teams', () => {
  let api: TestApi;
  let root: Person;
  let count = 0;
  const email = (name: string): string => `${name}-${(count += 1)}@example.org`;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: OPEN });
    root = personOf(await api.post('/api/v1/auth/register', { email: 'root@example.org', password: PASSWORD }));
  });
  afterAll(() => api?.close());

  const someone = (name: string): Promise<Person> => settle(api, root, email(name));
  const patch = (path: string, body: unknown, token: string) => api.request(path, { method: 'PATCH', body, token });
  const member = (workspaceId: string, { id }: Person): string => `/api/v1/workspaces/${workspaceId}/members/${id}`;
  const code = ({ status, json }: { status: number; json: Record<string, unknown> }) => [status, json.code];

  it('F02 the last owner of a workspace is neither unmade nor lost, not even when all go at once', async () => {
    const first = await someone('owner');
    expect(code(await patch(member(first.workspaceId, first), { role: 'viewer' }, first.token))).toEqual([409, 'conflict']);
    const second = await join(api, first, email('owner'), 'owner');
    const gone = await Promise.all([first, second].map((who) => api.delete(member(first.workspaceId, who), who.token)));
    expect(gone.map(({ status }) => status).sort()).toEqual([204, 409]);
  });

  it('F02 the last active instance admin is neither suspended, unmade nor deleted', async () => {
    const path = `/api/v1/users/${root.id}`;
    for (const change of [{ status: 'suspended' }, { instance_admin: false }])
      expect(code(await patch(path, change, root.token))).toEqual([409, 'conflict']);
    expect(code(await api.delete(path, root.token))).toEqual([409, 'conflict']);
    expect((await api.get(path, root.token)).json).toMatchObject({ status: 'active', instance_admin: true });
  });

  it('F02 E20 rights that a token was seen to have a moment ago make nobody an instance admin again', async () => {
    const person = await someone('climber');
    await patch(`/api/v1/users/${person.id}`, { instance_admin: true }, root.token);
    const remembered = await api.app.get(Authenticator, { strict: false }).authenticate(person.token);
    await patch(`/api/v1/users/${person.id}`, { instance_admin: false }, root.token);
    const again = api.app.get(Users, { strict: false }).change(remembered, person.id, { instanceAdmin: true });
    await expect(again).rejects.toMatchObject({ code: 'forbidden' });
    expect((await api.get(`/api/v1/users/${person.id}`, root.token)).json.instance_admin).toBe(false);
  });

  it('F08 a key with the scope admin manages its own workspace alone, not the others of its maker', async () => {
    const maker = await someone('maker');
    const key = await api.key(maker.token, ['admin']);
    const other = String((await api.post('/api/v1/workspaces', { name: 'other' }, maker.token)).json.id);
    expect((await api.get(`/api/v1/workspaces/${maker.workspaceId}/members`, key)).status).toBe(200);
    for (const path of ['', '/members', '/invitations'])
      expect(code(await api.get(`/api/v1/workspaces/${other}${path}`, key))).toEqual([404, 'not_found']);
    const asked = await api.post(`/api/v1/workspaces/${other}/members`, { email: email('x'), role: 'viewer' }, key);
    expect(code(asked)).toEqual([404, 'not_found']);
  });

  it('E20 who was removed and is invited again comes without the keys of before', async () => {
    const host = await someone('host');
    const person = await join(api, host, email('leaver'), 'editor');
    const key = await api.key(person.token, ['documents:read']);
    expect((await api.delete(member(host.workspaceId, person), host.token)).status).toBe(204);
    const invite_token = await invite(api, host, person.email, 'viewer');
    expect((await api.post('/api/v1/auth/accept', { invite_token, password: PASSWORD })).status).toBe(200);
    expect((await login(api, person.email)).workspaceId).toBe(host.workspaceId);
    expect((await api.get('/api/v1/documents', key)).status).toBe(401);
  });

  it('F02 an invitation makes a member of nobody but the invited', async () => {
    const invite_token = await invite(api, root, email('invited'), 'admin');
    const stranger = await api.post('/api/v1/auth/register', { email: email('stranger'), password: PASSWORD, invite_token });
    expect(code(stranger)).toEqual([400, 'invalid']);
    expect((await api.post('/api/v1/auth/accept', { invite_token, password: PASSWORD })).status).toBe(200);
  });

  it('E20 the keys and logins of a deleted workspace are ended in the database itself', async () => {
    const host = await someone('host');
    const key = await api.key(host.token, ['admin']);
    expect((await api.delete(`/api/v1/workspaces/${host.workspaceId}`, host.token)).status).toBe(204);
    await api.restart();
    for (const bearer of [host.token, key]) expect((await api.get('/api/v1/auth/me', bearer)).status).toBe(401);
    expect((await api.post('/api/v1/auth/refresh', { refresh_token: host.refreshToken })).status).toBe(401);
  });
});
