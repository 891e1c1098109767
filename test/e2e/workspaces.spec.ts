import { EventEmitter, once } from 'node:events';
import { PostgresClient, raw, sql } from '@backing/postgres';
import { WorkspaceRemoval } from '@features/workspaces';
import { Blobs } from '@kernel/blobs';
import { startApi, type TestApi } from '../support/api';
import { ChatBench } from '../support/chat';
import { describeDatabases } from '../support/databases';
import { DocumentsOf } from '../support/documents';
import { PASSWORD } from '../support/identity';
import { PlannedRuntime } from '../support/planned.runtime';
import { OPEN, invite, join, personOf, settle, type Person } from '../support/teams';

const WORKSPACES = '/api/v1/workspaces';
const VECTORS = '/api/v1/vectors/collections';
/** The record of an instance, which outlives what it tells of. */
const RECORDS = ['audit_entries', 'usage'];

describeDatabases('Workspaces', (kind) => {
  let api: TestApi;
  let root: Person;
  let client: PostgresClient;
  let count = 0;
  const email = (name: string): string => `${name}-${(count += 1)}@example.org`;

  beforeAll(async () => {
    api = await startApi({ database: kind, env: OPEN });
    root = personOf(await api.post('/api/v1/auth/register', { email: 'root@example.org', password: PASSWORD }));
    client = api.app.get(PostgresClient, { strict: false });
  });
  afterAll(() => api?.close());

  const someone = (name = 'someone'): Promise<Person> => settle(api, root, email(name));
  const patch = (path: string, body: unknown, token: string, ifMatch?: string) =>
    api.request(path, { method: 'PATCH', body, token, headers: ifMatch === undefined ? {} : { 'if-match': ifMatch } });
  const failure = ({ status, json }: { status: number; json: Record<string, unknown> }) => [status, json.code];

  it('are made with an owner and a collection to begin with', async () => {
    const maker = await someone();
    const made = await api.post(WORKSPACES, { name: '  Ferry line ' }, maker.token);
    const id = String(made.json.id);
    expect([made.status, made.headers.get('location'), made.headers.get('etag')]).toEqual([201, `${WORKSPACES}/${id}`, '"1"']);
    expect(made.json).toEqual({ id, name: 'Ferry line', role: 'owner', created_at: expect.any(String), updated_at: expect.any(String) });
    expect((await api.get(`${WORKSPACES}/${id}`, maker.token)).json).toEqual(made.json);
    const there = personOf(await api.post('/api/v1/auth/switch', { workspace_id: id }, maker.token));
    expect((await api.get(`${VECTORS}/default`, there.token)).status).toBe(200);
    expect((await api.get('/api/v1/agents', there.token)).json.data).toHaveLength(1);
    const list = await api.get(WORKSPACES, maker.token);
    expect((list.json.data as unknown as { id: string }[]).map((each) => each.id).sort()).toEqual([maker.workspaceId, id].sort());
    const page = await api.get(`${WORKSPACES}?limit=1&order=asc`, maker.token);
    expect([page.json.has_more, page.json.first_id]).toEqual([true, maker.workspaceId]);
  });

  it.each([[{}], [{ name: '' }], [{ name: '  ' }], [{ name: 'x'.repeat(201) }], [{ name: 7 }], [{ name: 'x', owner_id: 'y' }]])(
    'are not made of %j',
    async (body) => expect(failure(await api.post(WORKSPACES, body, root.token))).toEqual([400, 'invalid']),
  );

  it('are made by people, not by keys; a key sees its own workspace alone, with the scope admin', async () => {
    const maker = await someone();
    await api.post(WORKSPACES, { name: 'another' }, maker.token);
    const key = await api.key(maker.token, ['admin']);
    expect(failure(await api.post(WORKSPACES, { name: 'x' }, key))).toEqual([403, 'forbidden']);
    const list = await api.get(WORKSPACES, key);
    expect((list.json.data as unknown as { id: string }[]).map(({ id }) => id)).toEqual([maker.workspaceId]);
    const small = await api.key(maker.token, ['chat']);
    for (const path of [WORKSPACES, `${WORKSPACES}/${maker.workspaceId}`]) expect((await api.get(path, small)).status).toBe(403);
  });

  it('are renamed by admins under If-Match', async () => {
    const maker = await someone();
    const path = `${WORKSPACES}/${maker.workspaceId}`;
    const editor = await join(api, maker, email('editor'), 'editor');
    const admin = await join(api, maker, email('admin'), 'admin');
    expect(failure(await patch(path, { name: 'x' }, editor.token))).toEqual([403, 'forbidden']);
    const changed = await patch(path, { name: 'Renamed' }, admin.token, '"1"');
    expect([changed.status, changed.json.name, changed.json.role, changed.headers.get('etag')]).toEqual([200, 'Renamed', 'admin', '"2"']);
    expect(failure(await patch(path, { name: 'x' }, maker.token, '"1"'))).toEqual([412, 'precondition_failed']);
    expect((await api.get(path, editor.token)).json.name).toBe('Renamed');
  });

  it('answer to strangers as if they did not exist', async () => {
    const [one, other] = [await someone(), await someone()];
    const path = `${WORKSPACES}/${one.workspaceId}`;
    for (const [method, body] of [
      ['GET', undefined],
      ['PATCH', { name: 'x' }],
      ['DELETE', undefined],
    ] as const) {
      const unknown = await api.request(`${WORKSPACES}/0197a5b0-0000-7000-8000-000000000000`, { method, body, token: other.token });
      const theirs = await api.request(path, { method, body, token: other.token });
      expect([theirs.status, { ...theirs.json, request_id: '' }]).toEqual([404, { ...unknown.json, request_id: '' }]);
    }
    expect((await api.get(path, one.token)).status).toBe(200);
  });

  it('are deleted by owners alone, under If-Match', async () => {
    const maker = await someone();
    const path = `${WORKSPACES}/${maker.workspaceId}`;
    const admin = await join(api, maker, email('admin'), 'admin');
    expect(failure(await api.delete(path, admin.token))).toEqual([403, 'forbidden']);
    const stale = await api.request(path, { method: 'DELETE', token: maker.token, headers: { 'if-match': '"9"' } });
    expect(failure(stale)).toEqual([412, 'precondition_failed']);
    expect((await api.get(path, maker.token)).status).toBe(200);
  });

  describe('deleted', () => {
    let maker: Person;
    let viewer: Person;
    let key: string;
    let job: string;
    const model = new EventEmitter();
    let stopped: Promise<unknown>;
    let neighbour: { id: string; rows: Record<string, number> };
    let invitation: string;

    beforeAll(async () => {
      // Says something and then nothing, until it is told to stop.
      const endless = new PlannedRuntime('endless', false).serve(api.app);
      endless.plan = async function* (request) {
        yield { say: 'Once upon a time' };
        model.emit('begun');
        await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve(), { once: true }));
        model.emit('stopped');
      };
      neighbour = await filled(await someone('neighbour'));
      maker = await someone('maker');
      viewer = await join(api, maker, email('viewer'), 'viewer');
      key = await api.key(maker.token, ['chat', 'admin']);
      invitation = await invite(api, maker, email('late'), 'viewer');
      await filled(maker);
      const chat = await ChatBench.begin(api, maker.token, { model: 'endless' });
      const begun = once(model, 'begun');
      const asked = await api.post(`${chat.path}/messages`, { content: 'Tell me everything.' }, maker.token);
      job = String((asked.json.job as unknown as { id: string }).id);
      await begun;
      stopped = once(model, 'stopped');
    });

    it('are closed to everybody at once, and their jobs end', async () => {
      const before = await rowsOf(maker.workspaceId);
      for (const table of ['documents', 'points', 'chat_sessions', 'jobs', 'collections', 'memberships', 'invitations', 'agents'])
        expect([table, (before[table] ?? 0) > 0]).toEqual([table, true]);
      expect((await api.delete(`${WORKSPACES}/${maker.workspaceId}`, maker.token)).status).toBe(204);
      expect(await client.query(sql`SELECT id FROM jobs WHERE id = ${job}::uuid AND status IN ('queued', 'running', 'waiting')`)).toEqual(
        [],
      );
      await stopped;
      for (const bearer of [maker.token, viewer.token, key]) expect((await api.get('/api/v1/auth/me', bearer)).status).toBe(401);
      expect((await api.post('/api/v1/auth/refresh', { refresh_token: maker.refreshToken })).status).toBe(401);
      expect((await api.post('/api/v1/auth/accept', { invite_token: invitation, password: PASSWORD })).status).toBe(400);
      expect((await api.post('/api/v1/auth/login', { email: maker.email, password: PASSWORD })).status).toBe(403);
    });

    it('leave nothing but the record: no row, no vector, no blob', async () => {
      await api.app.get(WorkspaceRemoval, { strict: false }).idle();
      const left = await rowsOf(maker.workspaceId);
      expect(Object.keys(left).filter((table) => !RECORDS.includes(table))).toEqual([]);
      expect(await client.query(sql`SELECT id FROM workspaces WHERE id = ${maker.workspaceId}::uuid`)).toEqual([]);
      expect(left.audit_entries).toBeGreaterThan(0);
      // What is left of vectors and blobs is the neighbour's.
      expect(await vectors()).toBe(neighbour.rows.points);
      const blobs = await api.app.get(Blobs, { strict: false }).keys('documents/');
      const documents = await client.query<{ id: string }>(sql`SELECT id FROM documents`);
      expect(blobs.map((blob) => blob.split('/')[1]).sort()).toEqual(documents.map(({ id }) => id).sort());
    });

    it('leave the others as they are', async () => {
      expect(await rowsOf(neighbour.id)).toEqual(neighbour.rows);
    });

    it('are finished after a crash, at the next start', async () => {
      const crashed = await someone('crashed');
      await filled(crashed);
      await client.query(sql`UPDATE workspaces SET deleted_at = now() WHERE id = ${crashed.workspaceId}::uuid`);
      await client.query(sql`DELETE FROM memberships WHERE workspace_id = ${crashed.workspaceId}::uuid`);
      await api.restart();
      client = api.app.get(PostgresClient, { strict: false });
      await api.app.get(WorkspaceRemoval, { strict: false }).idle();
      const left = await rowsOf(crashed.workspaceId);
      expect(Object.keys(left).filter((table) => !RECORDS.includes(table))).toEqual([]);
    });

    /** A document, points and a finished conversation. */
    async function filled(person: Person): Promise<typeof neighbour> {
      const collection = { name: 'brought', dimensions: 4 };
      expect((await api.post(VECTORS, collection, person.token)).status).toBe(201);
      const points = [1, 2, 3].map((n) => ({ id: `p${n}`, vector: [n, 1, 0, 0], metadata: { n } }));
      const put = await api.request(`${VECTORS}/brought/points`, { method: 'PUT', body: { points }, token: person.token });
      expect(put.status).toBe(200);
      const mine = new DocumentsOf(api, { ...person, accessToken: person.token, userId: person.id });
      const { jobId } = mine.accepted(await mine.upload('The ferry leaves at noon.'));
      await mine.events(jobId);
      await ChatBench.begin(api, person.token, { title: 'Plans' });
      expect((await api.get('/api/v1/agents', person.token)).status).toBe(200);
      return { id: person.workspaceId, rows: await rowsOf(person.workspaceId) };
    }

    /** Rows of a workspace in every table that knows of workspaces; tables without any are left out. */
    async function rowsOf(workspaceId: string): Promise<Record<string, number>> {
      const tables = await client.query<{ name: string }>(
        sql`SELECT table_name AS name FROM information_schema.columns WHERE column_name = 'workspace_id' AND table_schema = current_schema() ORDER BY 1`,
      );
      const counts: Record<string, number> = {};
      for (const { name } of tables) {
        const rows = await client.query<{ n: number }>(
          sql`SELECT count(*)::int AS n FROM ${raw(name)} WHERE workspace_id = ${workspaceId}::uuid`,
        );
        if ((rows[0]?.n ?? 0) > 0) counts[name] = rows[0]?.n ?? 0;
      }
      return counts;
    }

    /** In all spaces of the store. */
    async function vectors(): Promise<number> {
      const spaces = await client.query<{ name: string }>(sql`SELECT physical_name AS name FROM spaces`);
      let total = 0;
      for (const { name } of spaces)
        total += (await client.query<{ n: number }>(sql`SELECT count(*)::int AS n FROM ${raw(name)}`))[0]?.n ?? 0;
      return total;
    }
  });
});
