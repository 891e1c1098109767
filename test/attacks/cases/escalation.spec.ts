import { PostgresClient, sql } from '@backing/postgres';
import { SCOPES, type Role, type Scope } from '@kernel/identity';
import { v7 } from 'uuid';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { startApi, type ApiAnswer, type TestApi } from '../../support/api';
import { openTeam, PASSWORD, tenantState, type ActorName, type Team } from '../kit';

const UNKNOWN = '0197a5b0-0000-7000-8000-00000000dead';
type Json = Record<string, unknown>;

describe('more rights than were given', () => {
  let api: TestApi;
  let team: Team;
  let database: PostgresClient;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000', AUTH_REGISTRATION: 'open' } });
    team = await openTeam(api);
    database = team.database;
  });
  afterAll(() => api?.close());

  const send = (who: ActorName, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer> =>
    api.request(path, { method, token: team.actors[who].token ?? team.actors[who].key, body, headers });
  const state = () => tenantState(database, team.victim.workspace);
  const powers = (): Promise<unknown[]> =>
    database.query(
      sql`SELECT u.id, u.instance_admin, u.status, u.kind, m.workspace_id, m.role FROM users u LEFT JOIN memberships m ON m.user_id = u.id ORDER BY 1, 5`,
    );

  /** Refused as a body with a field that is not there. */
  function expectUnknown({ status, json, text }: ApiAnswer, field: string): void {
    expect([status, json.code]).toEqual([400, 'invalid']);
    expect(JSON.stringify(json.errors)).toContain(field);
    team.expectClean(text);
  }

  describe('F01 F02 flags and roles of an account', () => {
    const flags: [string, unknown][] = [
      ['is_superuser', true],
      ['is_admin', true],
      ['isAdmin', true],
      ['instance_admin', true],
      ['instanceAdmin', true],
      ['first_admin', true],
      ['role', 'owner'],
      ['roles', ['owner', 'admin']],
      ['status', 'active'],
      ['kind', 'person'],
      ['scopes', [...SCOPES]],
      ['permissions', { all: true }],
      ['email_verified', true],
      ['password_hash', '$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA'],
    ];

    it.each(flags)('F01 F02 %s is no field of a registration, a login, a refresh, an acceptance or a password', async (field, value) => {
      const before = await powers();
      const bodies: [string, Json][] = [
        ['register', { email: 'climber@example.org', password: PASSWORD }],
        ['login', { email: 'first@example.org', password: PASSWORD }],
        ['refresh', { refresh_token: 'rt-x' }],
        ['accept', { reset_token: 'pr-x', password: PASSWORD }],
      ];
      for (const [path, body] of bodies) expectUnknown(await api.post(`/api/v1/auth/${path}`, { ...body, [field]: value }), field);
      const own = { current_password: 'x', new_password: PASSWORD };
      expectUnknown(await send('viewer', 'POST', '/api/v1/auth/password', { ...own, [field]: value }), field);
      expect(await powers()).toEqual(before);
    });

    it.each(flags.filter(([field]) => !['status', 'instance_admin'].includes(field)))(
      'F01 %s is no field of a change of a person',
      async (field, value) => {
        const before = await powers();
        for (const who of ['viewer', 'owner', 'instanceAdmin'] as const)
          expectUnknown(await send(who, 'PATCH', `/api/v1/users/${team.actors[who].userId}`, { [field]: value }), field);
        expect(await powers()).toEqual(before);
      },
    );

    it.each([
      ['instance_admin', true],
      ['instance_admin', false],
      ['status', 'suspended'],
      ['status', 'active'],
    ])('F01 F02 nobody but the instance admin sets %s to %j, on anybody', async (field, value) => {
      const before = await powers();
      for (const who of ['viewer', 'editor', 'admin', 'owner', 'otherUser', 'keySmall', 'keyFull'] as const)
        for (const whom of [team.actors[who].userId, team.actors.viewer.userId, team.actors.instanceAdmin.userId]) {
          const { status } = await send(who, 'PATCH', `/api/v1/users/${whom}`, { [field]: value, name: 'x' });
          expect([who, [403, 404].includes(status)]).toEqual([who, true]);
        }
      expect(await powers()).toEqual(before);
    });

    it.each(['/api/v1/auth/me', '/api/v1/users/me', '/api/v1/users/@me', '/api/v1/profile', '/api/v1/account'])(
      'F02 %s cannot be changed',
      async (path) => {
        const before = await powers();
        for (const method of ['PATCH', 'PUT', 'POST', 'DELETE']) {
          const { status } = await send('viewer', method, path, method === 'DELETE' ? undefined : { role: 'admin' });
          expect([method, [400, 403, 404, 405].includes(status)]).toEqual([method, true]);
        }
        expect(await powers()).toEqual(before);
      },
    );
  });

  describe('F02 roles in a workspace', () => {
    const member = (name: ActorName) => `/api/v1/workspaces/${team.victim.workspace}/members/${team.actors[name].userId}`;

    it.each([
      ['viewer', 'viewer', 'admin', 403],
      ['editor', 'editor', 'owner', 403],
      ['editor', 'viewer', 'viewer', 403],
      ['admin', 'admin', 'owner', 403],
      ['admin', 'viewer', 'owner', 403],
      ['admin', 'owner', 'viewer', 403],
      ['otherUser', 'otherUser', 'owner', 404],
      ['instanceAdmin', 'instanceAdmin', 'owner', 404],
      ['keySmall', 'viewer', 'admin', 403],
    ] as const)('F02 %s cannot make %s %s', async (who, whom, role, status) => {
      const before = await powers();
      expect((await send(who, 'PATCH', member(whom), { role })).status).toBe(status);
      expect(await powers()).toEqual(before);
    });

    it.each(['superuser', 'instance_admin', 'OWNER', 'owner ', '', null, 4, ['owner'], { $ne: 'viewer' }])(
      'F02 there is no role %j',
      async (role) => {
        const before = await powers();
        for (const path of [member('viewer')]) expect((await send('owner', 'PATCH', path, { role })).status).toBe(400);
        for (const path of ['/api/v1/users', `/api/v1/workspaces/${team.victim.workspace}/members`])
          expect((await send('owner', 'POST', path, { email: 'new@example.org', role })).status).toBe(400);
        expect(await powers()).toEqual(before);
      },
    );

    it.each([
      ['viewer', 'viewer', 403],
      ['editor', 'viewer', 403],
      ['admin', 'owner', 403],
      ['otherUser', 'viewer', 404],
      ['instanceAdmin', 'owner', 404],
      ['keySmall', 'viewer', 403],
    ] as const)('F02 %s cannot invite a %s', async (who, role, status) => {
      const path = `/api/v1/workspaces/${team.victim.workspace}/members`;
      const before = await state();
      expect((await send(who, 'POST', path, { email: 'accomplice@example.org', role })).status).toBe(status);
      expect(await state()).toEqual(before);
    });

    it('F02 an admin neither removes an owner nor deletes the workspace', async () => {
      const before = await powers();
      for (const who of ['viewer', 'editor', 'admin'] as const) {
        expect([who, (await send(who, 'DELETE', member('owner'))).status]).toEqual([who, 403]);
        expect([who, (await send(who, 'DELETE', `/api/v1/workspaces/${team.victim.workspace}`)).status]).toEqual([who, 403]);
      }
      expect(await powers()).toEqual(before);
    });
  });

  describe('F04 whose it is, in a body', () => {
    const owners = [
      'user_id',
      'userId',
      'owner_id',
      'ownerId',
      'owner',
      'workspace_id',
      'workspaceId',
      'wid',
      'sub',
      'created_by',
      'made_by',
      'tenant_id',
      'api_key_id',
    ];
    const server = ['id', 'created_at', 'updated_at', 'version', 'revision', 'status', 'job_id', 'secret', 'secret_hash', 'physical_name'];
    /** A field that the body of this route has indeed. */
    const has: Record<string, string[]> = {
      'POST /api/v1/auth/keys': ['owner'],
      'POST /api/v1/auth/switch': ['workspace_id'],
      'PATCH /api/v1/users/:id': ['status'],
    };

    it('F04 is a field of no body of the native interface', async () => {
      const routes = api.app
        .get(RouteTable)
        .routes.filter(({ url, method }) => url.startsWith('/api/v1') && ['POST', 'PUT', 'PATCH'].includes(method));
      // These take no body at all, or any of several that are tried below.
      const bodiless = ['/api/v1/auth/logout', '/api/v1/jobs/:id/cancel', '/api/v1/jobs/:id/retry', '/api/v1/users/:id/reset'];
      const documents = ['/api/v1/documents', '/api/v1/documents/:id'];
      const tried = routes.filter(({ url }) => !bodiless.includes(url) && !documents.includes(url));
      expect(tried.length).toBeGreaterThan(25);
      const before = await state();
      for (const { method, url } of tried) {
        const path = url.replaceAll(/:name/g, 'default').replaceAll(/:[a-z]+/gi, UNKNOWN);
        for (const field of [...owners, ...server].filter((known) => has[`${method} ${url}`]?.includes(known) !== true)) {
          const { status, json } = await send('instanceAdmin', method, path, { [field]: team.actors.owner.userId });
          expect([method, url, field, status]).toEqual([method, url, field, 400]);
          expect(JSON.stringify(json.errors)).toContain(field);
        }
      }
      expect(await state()).toEqual(before);
    });

    it.each([...owners, ...server])('F04 %s is no field of a document', async (field) => {
      // A new content takes the next number of its document before it is read; nobody ever sees that number.
      const kept = () => tenantState(database, team.victim.workspace, { except: ['documents'] });
      const seen = () => send('editor', 'GET', `/api/v1/documents/${team.victim.document}`);
      const [before, document] = [await kept(), (await seen()).json];
      for (const [method, path] of [
        ['POST', '/api/v1/documents'],
        ['PUT', `/api/v1/documents/${team.victim.document}`],
      ] as const)
        expectUnknown(await send('editor', method, path, { name: 'mine.txt', text: 'mine', [field]: team.actors.owner.userId }), field);
      const form = new FormData();
      form.append(field, team.actors.owner.userId);
      form.append('file', new Blob(['mine']), 'mine.txt');
      expect((await send('editor', 'POST', '/api/v1/documents', form)).status).toBe(400);
      expect([await kept(), (await seen()).json]).toEqual([before, document]);
    });

    it('F04 what is made belongs to who made it, in the workspace of the token', async () => {
      const rows: [string, string, Json][] = [
        ['chat_sessions', '/api/v1/chat/sessions', { title: 'mine' }],
        ['agents', '/api/v1/agents', { name: 'mine' }],
        ['collections', '/api/v1/vectors/collections', { name: 'mine', dimensions: 3 }],
        ['api_keys', '/api/v1/auth/keys', { name: 'mine', scopes: ['chat'] }],
      ];
      const { userId, workspaceId } = team.actors.editor;
      for (const [table, path, body] of rows) {
        const { status } = await send('editor', 'POST', `${path}`, body, {
          'x-user-id': team.actors.owner.userId,
          'x-workspace-id': UNKNOWN,
        });
        expect([path, status]).toEqual([path, 201]);
        const { rows: found } = await newest(table);
        expect([path, found]).toEqual([path, { owner_id: userId, workspace_id: workspaceId }]);
      }
    });
  });

  describe('F05 making over something that exists', () => {
    it.each([
      ['/api/v1/chat/sessions', 'session', { title: 'mine' }],
      ['/api/v1/agents', 'agent', { name: 'mine-too' }],
      ['/api/v1/auth/keys', 'key', { name: 'mine', scopes: ['chat'] }],
      ['/api/v1/documents', 'document', { name: 'mine.txt', text: 'mine' }],
      ['/api/v1/vectors/collections', 'collection', { name: 'mine-too', dimensions: 3 }],
      ['/api/v1/workspaces', 'workspace', { name: 'mine' }],
      ['/api/v1/users', 'member', { email: 'new@example.org', role: 'viewer' }],
    ] as const)('F05 POST %s with the id of another', async (path, thing, body) => {
      const before = await state();
      for (const who of ['otherUser', 'owner'] as const)
        expectUnknown(await send(who, 'POST', path, { ...body, id: team.victim[thing] }), 'id');
      expect(await state()).toEqual(before);
    });

    it('F05 nothing is made by PUT at an id', async () => {
      const before = await state();
      for (const path of ['chat/sessions', 'agents', 'jobs', 'auth/keys', 'users', 'workspaces', 'vectors/collections'].map(
        (kind) => `/api/v1/${kind}`,
      ))
        for (const id of [UNKNOWN, team.victim.session, team.victim.agent, team.victim.key, team.victim.workspace])
          expect([path, (await send('owner', 'PUT', `${path}/${id}`, { name: 'mine' })).status]).toEqual([path, 405]);
      for (const id of [UNKNOWN, team.victim.document])
        expect((await send('otherUser', 'PUT', `/api/v1/documents/${id}`, { text: 'mine' })).status).toBe(404);
      expect(await state()).toEqual(before);
    });

    it('F05 a point, a name and an outer id of another workspace are not taken over', async () => {
      const before = await state();
      const { collection, point } = team.victim;
      expect((await send('otherUser', 'POST', '/api/v1/vectors/collections', { name: collection, dimensions: 3 })).status).toBe(201);
      const points = [{ id: point, vector: [3, 2, 1], metadata: { mine: true } }];
      expect((await send('otherUser', 'PUT', `/api/v1/vectors/collections/${collection}/points`, { points })).status).toBe(200);
      expect((await send('owner', 'POST', '/api/v1/vectors/collections', { name: collection, dimensions: 3 })).status).toBe(409);
      expect(await state()).toEqual(before);
    });
  });

  describe('F07 nested objects', () => {
    const person = { email: 'nested@example.org', password: PASSWORD };
    const admin = { instance_admin: true, role: 'owner' };

    it.each([
      ['a user', { user: { ...person, ...admin } }],
      ['an organisation', { ...person, organization: { id: UNKNOWN, role: 'owner' } }],
      ['a workspace', { ...person, workspace: { id: UNKNOWN, name: 'theirs' } }],
      ['a name that is an object', { ...person, name: { first: 'A', ...admin } }],
      ['an e-mail that is an object', { email: { value: 'nested@example.org', ...admin }, password: PASSWORD }],
      ['a list of people', [person, { ...person, ...admin }]],
      ['text', JSON.stringify(person)],
    ])('F07 in a registration: %s', async (_, body) => {
      const before = await powers();
      const { status, json } = await api.post('/api/v1/auth/register', body);
      expect([status, json.code]).toEqual([400, 'invalid']);
      expect(await powers()).toEqual(before);
    });

    it.each([
      ['__proto__', 422, `{"email":"nested@example.org","password":"${PASSWORD}","__proto__":{"instance_admin":true}}`],
      ['constructor', 422, `{"email":"nested@example.org","password":"${PASSWORD}","constructor":{"prototype":{"instance_admin":true}}}`],
      ['33 levels', 400, `{"email":"nested@example.org","password":"${PASSWORD}","name":${'['.repeat(33)}${']'.repeat(33)}}`],
      ['a field twice', 400, `{"email":"nested@example.org","email":"first@example.org","password":"${PASSWORD}","role":"owner"}`],
    ])('F07 %s', async (_, status, body) => {
      const before = await powers();
      const response = await fetch(`${api.url}/api/v1/auth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      expect(response.status).toBe(status);
      team.expectClean(await response.text());
      expect(({} as Json).instance_admin).toBeUndefined();
      expect(await powers()).toEqual(before);
    });
  });

  describe('F08 keys', () => {
    const keys = '/api/v1/auth/keys';
    const demoted = async (name: string, from: Role): Promise<{ userId: string; token: string }> => {
      const { userId } = await team.people.make(name);
      await team.people.join(userId, team.victim.workspace, from);
      return { userId, token: await team.people.token(userId, team.victim.workspace) };
    };
    const beyond = (role: Role): Scope[] =>
      SCOPES.filter((scope) => {
        if (scope === 'models:write') return true;
        if (scope === 'admin') return role === 'viewer' || role === 'editor';
        return role === 'viewer' && ['documents:write', 'vectors:write', 'agents:write'].includes(scope);
      });

    it.each(['viewer', 'editor', 'admin', 'owner'] as const)('F08 a %s gives no scope that the role has not', async (who) => {
      const before = await state();
      for (const scope of beyond(who))
        for (const scopes of [[scope], ['chat', scope], [scope, scope]]) {
          const { status, json } = await send(who, 'POST', keys, { name: 'more', scopes });
          expect([scope, status, json.code]).toEqual([scope, 403, 'forbidden']);
        }
      for (const scopes of [['*'], ['all'], ['admin:*'], ['ADMIN'], [''], [null], 'admin', [['admin']], { 0: 'admin' }, []])
        expect([scopes, (await send(who, 'POST', keys, { name: 'more', scopes })).status]).toEqual([scopes, 400]);
      expect(await state()).toEqual(before);
    });

    it('F08 a key makes, lists and deletes no keys, whatever its scopes', async () => {
      for (const who of ['keySmall', 'keyFull'] as const) {
        expect((await send(who, 'POST', keys, { name: 'more', scopes: ['models:read'] })).status).toBe(403);
        expect((await send(who, 'GET', keys)).status).toBe(403);
        expect((await send(who, 'DELETE', `${keys}/${team.victim.key}`)).status).toBe(403);
      }
    });

    it('F08 a key has what its owner may today: its scopes end with the role', async () => {
      const { userId, token } = await demoted('demoted', 'admin');
      const secret = await api.key(token, ['chat', 'documents:read', 'documents:write', 'vectors:write', 'admin']);
      await database.query(
        sql`UPDATE memberships SET role = 'viewer' WHERE user_id = ${userId}::uuid AND workspace_id = ${team.victim.workspace}::uuid`,
      );
      expect((await api.get('/api/v1/auth/me', secret)).json).toMatchObject({ role: 'viewer', scopes: ['chat', 'documents:read'] });
      const before = await state();
      for (const [method, path, body] of [
        ['POST', '/api/v1/documents', { name: 'x.txt', text: 'x' }],
        ['DELETE', `/api/v1/documents/${team.victim.document}`, undefined],
        ['POST', '/api/v1/vectors/collections', { name: 'x', dimensions: 3 }],
        ['GET', '/api/v1/audit', undefined],
        ['POST', '/api/v1/users', { email: 'new@example.org', role: 'viewer' }],
        ['PATCH', `/api/v1/workspaces/${team.victim.workspace}`, { name: 'mine' }],
      ] as const)
        expect([path, (await api.request(path, { method, token: secret, body })).status]).toEqual([path, 403]);
      expect(await state()).toEqual(before);
    });

    it.each(['me', 'workspace'] as const)('F08 a key of %s ends at once with its maker in the workspace', async (owner) => {
      const { userId, token } = await demoted(`removed ${owner}`, 'admin');
      const { json } = await api.post(keys, { name: 'mine', scopes: ['chat', 'documents:read'], owner }, token);
      const secret = String(json.secret);
      expect((await api.get('/api/v1/documents', secret)).status).toBe(200);
      const removed = await send('owner', 'DELETE', `/api/v1/workspaces/${team.victim.workspace}/members/${userId}`);
      expect(removed.status).toBe(204);
      for (const path of ['/api/v1/documents', '/v1/models', '/api/v1/auth/me'])
        expect([path, (await api.get(path, secret)).status]).toEqual([path, 401]);
    });

    it('F08 a key of the workspace has its maker’s role of today, and nobody’s private things', async () => {
      const { userId, token } = await demoted('maker', 'admin');
      const session = await api.post('/api/v1/chat/sessions', { title: 'private' }, token);
      const scopes = ['chat', 'documents:read', 'documents:write', 'jobs:read', 'admin'];
      const { json } = await api.post(keys, { name: 'shared', scopes, owner: 'workspace' }, token);
      const secret = String(json.secret);
      for (const id of [String(session.json.id), team.victim.session]) {
        expect((await api.get(`/api/v1/chat/sessions/${id}`, secret)).status).toBe(404);
        expect((await api.get(`/api/v1/chat/sessions/${id}/messages`, secret)).status).toBe(404);
      }
      expect((await api.get(`/api/v1/jobs/${team.victim.job}`, secret)).status).toBe(404);
      const own = await api.post('/api/v1/chat/sessions', { title: 'of the key' }, secret);
      expect(own.status).toBe(201);
      for (const bearer of [token, team.actors.owner.token])
        expect((await api.get(`/api/v1/chat/sessions/${String(own.json.id)}`, bearer)).status).toBe(404);
      const change = await send('owner', 'PATCH', `/api/v1/workspaces/${team.victim.workspace}/members/${userId}`, { role: 'viewer' });
      expect(change.status).toBe(200);
      expect((await api.post('/api/v1/documents', { name: 'x.txt', text: 'x' }, secret)).status).toBe(403);
      expect((await api.get('/api/v1/audit', secret)).status).toBe(403);
      expect((await api.get('/api/v1/documents', secret)).status).toBe(200);
    });

    it('F08 only admins make and see keys of the workspace, and none has powers over the instance', async () => {
      for (const who of ['viewer', 'editor'] as const) {
        expect((await send(who, 'POST', keys, { name: 'x', scopes: ['chat'], owner: 'workspace' })).status).toBe(403);
        expect((await send(who, 'GET', `${keys}?owner=workspace`)).status).toBe(403);
      }
      expect((await send('instanceAdmin', 'POST', keys, { name: 'x', scopes: ['models:write'], owner: 'workspace' })).status).toBe(403);
    });

    it('F08 a key of an instance admin governs people only with the scope admin', async () => {
      const { token } = team.actors.instanceAdmin;
      const small = await api.key(
        token ?? '',
        SCOPES.filter((scope) => scope !== 'admin'),
      );
      const before = await powers();
      for (const [method, path, body] of [
        ['GET', '/api/v1/users', undefined],
        ['GET', `/api/v1/users/${team.actors.viewer.userId}`, undefined],
        ['PATCH', `/api/v1/users/${team.actors.viewer.userId}`, { status: 'suspended' }],
        ['PATCH', `/api/v1/users/${team.actors.instanceAdmin.userId}`, { name: 'renamed' }],
        ['DELETE', `/api/v1/users/${team.actors.viewer.userId}`, undefined],
        ['POST', `/api/v1/users/${team.actors.viewer.userId}/reset`, undefined],
        ['GET', '/api/v1/audit?scope=instance', undefined],
      ] as const) {
        const { status, text } = await api.request(path, { method, token: small, body });
        expect([method, path, [403, 404].includes(status)]).toEqual([method, path, true]);
        expect(text).not.toContain('pr-');
      }
      expect(await powers()).toEqual(before);
    });
  });

  describe('F10 settings', () => {
    it('F10 there is no route for them, and what concerns the instance is for its admin', async () => {
      const routes = api.app.get(RouteTable).routes;
      expect(routes.filter(({ url }) => /config|setting|preference|option|feature|flag|env/i.test(url))).toEqual([]);
      const instance = routes.filter(({ marks }) => marks.instance === true);
      expect(instance.length).toBeGreaterThanOrEqual(4);
      for (const { method, url } of instance)
        for (const who of ['viewer', 'editor', 'admin', 'owner', 'otherUser', 'keyFull'] as const) {
          const { status } = await send(who, method, url.replace(':id', team.actors.viewer.userId), method === 'POST' ? {} : undefined);
          expect([method, url, who, status]).toEqual([method, url, who, 403]);
        }
    });

    it.each([
      ['POST', '/api/v1/models', { name: 'llama3.2:1b' }],
      ['DELETE', '/api/v1/models/smollm2-135m-instruct', undefined],
    ])('F10 %s %s is for the instance admin', async (method, path, body) => {
      for (const who of ['viewer', 'editor', 'admin', 'owner', 'otherUser', 'keyFull'] as const)
        expect([who, (await send(who, method, path, body)).status]).toEqual([who, 403]);
    });
  });

  describe('F11 who is no active member', () => {
    it.each(['suspended', 'revoked', 'deleted'] as const)('F11 a %s person reaches no route', async (who) => {
      const routes = api.app.get(RouteTable).routes.filter(({ marks }) => marks.access?.public === false);
      expect(routes.length).toBeGreaterThan(50);
      for (const { method, url } of routes)
        for (const bearer of [team.actors[who].token, team.actors[who].key]) {
          const { status } = await api.fetch(url.replaceAll(/:[a-z]+/gi, UNKNOWN), { method, token: bearer });
          expect([method, url, status]).toEqual([method, url, 401]);
        }
    });

    it('F11 a person without a workspace cannot sign in or act', async () => {
      const { userId, email, ownWorkspaceId } = await team.people.make('lonely');
      const token = await team.people.token(userId, ownWorkspaceId);
      await database.query(sql`DELETE FROM memberships WHERE user_id = ${userId}::uuid`);
      const { status, json } = await api.post('/api/v1/auth/login', { email, password: PASSWORD });
      expect([status, json.code]).toEqual([403, 'forbidden']);
      for (const path of ['/api/v1/auth/me', '/api/v1/documents', '/v1/models']) expect((await api.get(path, token)).status).toBe(401);
    });

    it.each(['pending', 'guest', 'none', 'user', ''])('F11 the database knows no role %j', async (role) => {
      const { userId } = await team.people.make(`role ${role}`);
      await expect(database.query(sql`UPDATE memberships SET role = ${role} WHERE user_id = ${userId}::uuid`)).rejects.toThrow(
        /memberships/,
      );
    });
  });

  describe('F13 settings of one call', () => {
    it.each([
      'overrideConfig',
      'override_config',
      'overrides',
      'config',
      'tools',
      'instructions',
      'model',
      'system',
      'limits',
      'approval',
      'collections',
      'env',
      'vars',
      'headers',
    ])('F13 %s is no field of a run', async (field) => {
      const before = await state();
      const path = `/api/v1/agents/${team.victim.agent}/runs`;
      for (const who of ['viewer', 'owner'] as const)
        expectUnknown(await send(who, 'POST', path, { input: 'Go.', [field]: { tools: ['all'] } }), field);
      expect(await state()).toEqual(before);
    });

    it.each(['overrideConfig', 'tools', 'system', 'api_key', 'base_url', 'messages', 'history', 'role', 'functions'])(
      'F13 %s is no field of a question or its options',
      async (field) => {
        const path = `/api/v1/chat/sessions/${team.victim.session}/messages`;
        expectUnknown(await send('owner', 'POST', path, { content: 'Go.', [field]: {} }), field);
        expectUnknown(await send('owner', 'POST', path, { content: 'Go.', options: { [field]: {} } }), field);
      },
    );
  });

  describe('F14 an identity that the client tells', () => {
    const names = [
      'x-user-id',
      'x-user',
      'x-user-email',
      'x-forwarded-user',
      'x-forwarded-email',
      'x-forwarded-preferred-username',
      'x-remote-user',
      'remote-user',
      'x-webauth-user',
      'x-authenticated-user',
      'x-auth-request-user',
      'x-auth-request-email',
      'x-workspace-id',
      'x-tenant-id',
      'x-consumer-id',
      'x-consumer-username',
      'x-credential-identifier',
      'x-role',
      'x-roles',
      'x-scopes',
      'x-admin',
      'x-internal',
      'openai-organization',
      'openai-project',
      'x-openwebui-user-id',
      'x-openwebui-user-role',
      'x-ms-client-principal',
    ];

    it.each(names)('F14 %s makes nobody somebody else', async (name) => {
      for (const value of [team.actors.instanceAdmin.userId, 'first@example.org', 'owner', team.victim.workspace]) {
        expect((await api.request('/api/v1/auth/me', { headers: { [name]: value } })).status).toBe(401);
        const { json } = await send('otherUser', 'GET', '/api/v1/auth/me', undefined, { [name]: value });
        expect(json).toMatchObject({
          user: { id: team.actors.otherUser.userId, instance_admin: false },
          workspace: { id: team.actors.otherUser.workspaceId },
        });
        expect((await send('otherUser', 'GET', `/api/v1/documents/${team.victim.document}`, undefined, { [name]: value })).status).toBe(
          404,
        );
      }
    });

    it.each(['user_id', 'workspace_id', 'wid', 'owner_id', 'as', 'impersonate', 'sudo', 'role', 'scope', 'user'])(
      'F14 ?%s= does neither',
      async (name) => {
        for (const path of [
          '/api/v1/documents',
          '/api/v1/chat/sessions',
          '/api/v1/jobs',
          '/api/v1/agents',
          '/api/v1/vectors/collections',
          '/api/v1/workspaces',
        ])
          expect([path, (await send('otherUser', 'GET', `${path}?${name}=${team.victim.workspace}`)).status]).toEqual([path, 400]);
        const { json } = await send('otherUser', 'GET', `/api/v1/auth/me?${name}=${team.actors.owner.userId}`);
        expect(json).toMatchObject({ user: { id: team.actors.otherUser.userId } });
      },
    );

    it('F14 a switch leads into no workspace of others, and a key into none', async () => {
      const path = '/api/v1/auth/switch';
      for (const workspace_id of [team.victim.workspace, UNKNOWN, v7()]) {
        expect((await send('otherUser', 'POST', path, { workspace_id })).status).toBe(404);
        expect((await send('instanceAdmin', 'POST', path, { workspace_id })).status).toBe(404);
        expect((await send('keyFull', 'POST', path, { workspace_id })).status).toBe(403);
      }
    });
  });

  async function newest(table: string): Promise<{ rows: unknown }> {
    const statement = { text: `SELECT owner_id, workspace_id FROM ${table} ORDER BY id DESC LIMIT 1`, values: [] } as never;
    return { rows: (await database.query(statement))[0] };
  }
});
