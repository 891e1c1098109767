import { once } from 'node:events';
import { PostgresClient, sql } from '@backing/postgres';
import { JobHandlers, Jobs } from '@features/jobs';
import { AppConfig } from '@kernel/config';
import { startApi, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { Doors, type OpenDoor } from '../support/doors';
import { PASSWORD } from '../support/identity';
import { gate, TestHandler, testWork, untilAborted } from '../support/jobs';
import { PlannedRuntime } from '../support/planned.runtime';
import { join, login, OPEN, personOf, type Person } from '../support/teams';

const LIMIT_MS = 5_000;
const SECRETS = { JWT_SECRET: 'a secret of two processes, 32 bytes and more' };
const MODEL = 'staller';

/**
 * The contract's own number: within 5 s of a revocation every door is closed. On the embedded database the same process revokes; on PostgreSQL
 * another one does (`office`), with caches of its own.
 */
describeDatabases('What is revoked', (kind) => {
  let api: TestApi;
  let office: TestApi;
  let root: Person;
  let model: PlannedRuntime;
  let handler: TestHandler;
  let finish = gate();
  let count = 0;

  const get = <T>(type: abstract new (...parameters: never[]) => T): T => api.app.get(type as never, { strict: false });
  const email = (): string => `person-${(count += 1)}@example.org`;

  beforeAll(async () => {
    const env = { ...OPEN, ...SECRETS };
    api = await startApi({ database: kind, env });
    const url = get(AppConfig).database.url;
    office = url === undefined ? api : await startApi({ database: kind, env: { ...env, DATABASE_URL: url } });
    await get(PostgresClient).query(sql`CREATE TABLE effects (job_id uuid, status text, text text)`);
    handler = new TestHandler(() => ({ jobs: get(Jobs), client: get(PostgresClient) }));
    for (const { app } of new Set([api, office])) app.get(JobHandlers, { strict: false }).register([handler]);
    model = new PlannedRuntime(MODEL, false);
    for (const { app } of new Set([api, office])) model.serve(app);
    root = personOf(await api.post('/api/v1/auth/register', { email: 'root@example.org', password: PASSWORD }));
  });
  beforeEach(() => {
    finish = gate();
    const { opened } = finish;
    handler.work = async ({ signal }) => {
      await Promise.race([opened, untilAborted(signal)]);
      return {};
    };
    model.requests.length = 0;
    model.plan = async function* ({ signal }) {
      yield { say: 'It begins. ' };
      await untilAborted(signal);
    };
  });
  afterEach(async () => {
    const open = await get(PostgresClient).query<{ id: string }>(sql`SELECT id FROM jobs WHERE finished_at IS NULL`);
    for (const { id } of open) await get(Jobs).supersede(id);
  });
  afterAll(async () => {
    if (office !== api) await office?.close();
    await api?.close();
  });

  async function job({ workspaceId, id: ownerId }: Person, apiKeyId: string | null = null): Promise<string> {
    const { jobId, ctes } = get(Jobs).acceptance(testWork, { name: 'e2e' }, { workspaceId, ownerId, apiKeyId });
    await get(PostgresClient).query(sql`WITH ${ctes} SELECT id FROM job`);
    get(Jobs).wake();
    return jobId;
  }

  /** Every door that lasts, opened by the bearer and seen to have been let in. */
  async function openAll(token: string, jobId: string): Promise<OpenDoor[]> {
    const doors = new Doors(api, token, MODEL);
    const arrived = once(api.app.getHttpServer(), 'request');
    const upload = doors.upload();
    await arrived;
    const opened = [upload, doors.events(jobId), doors.stream(), doors.completion(), await doors.wait()];
    await Promise.all(opened.filter(({ name }) => name === 'events' || name === 'stream').map(({ answered }) => answered));
    while (model.requests.length < 3) await new Promise(setImmediate);
    return opened;
  }

  const stillOpen = async (doors: OpenDoor[]): Promise<string[]> => {
    const ended = await Promise.all(doors.map((door) => door.endsWithin(50)));
    return doors.flatMap(({ name }, place) => (ended[place] === true ? [] : [name]));
  };

  async function assertCut(doors: OpenDoor[], since: number): Promise<void> {
    const left = LIMIT_MS - (performance.now() - since);
    const ended = await Promise.all(doors.map((door) => door.endsWithin(left)));
    expect(doors.flatMap(({ name }, place) => (ended[place] === true ? [] : [name]))).toEqual([]);
  }

  async function assertRefused(token: string, since: number): Promise<void> {
    let status = 0;
    while (performance.now() - since < LIMIT_MS && status !== 401) status = (await api.get('/api/v1/auth/me', token)).status;
    expect(status).toBe(401);
  }

  const membership = ({ id, workspaceId }: Person): string => `/api/v1/workspaces/${workspaceId}/members/${id}`;
  const patchUser = ({ id }: Person, body: object) => office.request(`/api/v1/users/${id}`, { method: 'PATCH', body, token: root.token });

  it.each<[string, (victim: Person) => Promise<{ status: number }>, number]>([
    ['a logout', (victim) => office.post('/api/v1/auth/logout', undefined, victim.token), 204],
    [
      'a change of the password',
      (victim) => office.post('/api/v1/auth/password', { current_password: PASSWORD, new_password: `${PASSWORD}!` }, victim.token),
      204,
    ],
    ['a suspension', (victim) => patchUser(victim, { status: 'suspended' }), 200],
    ['a removal from the workspace', (victim) => office.delete(membership(victim), root.token), 204],
    ['a deletion of the person', (victim) => office.delete(`/api/v1/users/${victim.id}`, root.token), 204],
  ])("by %s closes every door within 5 s, and nobody else's", async (_, revoke, status) => {
    const victim = await join(api, root, email(), 'editor');
    const theirs = await openAll(victim.token, await job(victim));
    const others = new Doors(api, root.token, MODEL).events(await job(root));
    await others.answered;
    expect(await stillOpen([...theirs, others])).toEqual(['upload', 'events', 'stream', 'completion', 'wait', 'events']);
    const answer = await revoke(victim);
    const since = performance.now();
    expect(answer.status).toBe(status);
    await assertCut(theirs, since);
    await assertRefused(victim.token, since);
    finish.open();
    expect(await others.text).toContain('event: done');
  });

  it('by a deletion of the key closes every door within 5 s, and not those of the login', async () => {
    const victim = await join(api, root, email(), 'editor');
    const scopes = ['chat', 'jobs:read', 'documents:write'];
    const { json } = await api.post('/api/v1/auth/keys', { name: 'ci', scopes }, victim.token);
    const jobId = await job(victim);
    const theirs = await openAll(String(json.secret), jobId);
    const signedIn = new Doors(api, victim.token, MODEL).events(jobId);
    await signedIn.answered;
    expect((await office.delete(`/api/v1/auth/keys/${String(json.id)}`, victim.token)).status).toBe(204);
    const since = performance.now();
    await assertCut(theirs, since);
    await assertRefused(String(json.secret), since);
    finish.open();
    expect(await signedIn.text).toContain('event: done');
  });

  it('by a lower role closes the doors that need the higher one, and no other', async () => {
    const victim = await join(api, root, email(), 'editor');
    const theirs = await openAll(victim.token, await job(victim));
    const { status } = await office.request(membership(victim), { method: 'PATCH', body: { role: 'viewer' }, token: root.token });
    const since = performance.now();
    expect(status).toBe(200);
    await assertCut(theirs.slice(0, 1), since);
    expect(await stillOpen(theirs)).toEqual(['events', 'stream', 'completion', 'wait']);
    finish.open();
    expect(await theirs[1]?.text).toContain('event: done');
  });

  it.each<[string, (maker: Person) => Promise<{ status: number }>]>([
    ['suspended', (maker) => patchUser(maker, { status: 'suspended' })],
    ['removed', (maker) => office.delete(membership(maker), root.token)],
    ['made a viewer', (maker) => office.request(membership(maker), { method: 'PATCH', body: { role: 'viewer' }, token: root.token })],
  ])("with the maker of a workspace's key, who is %s", async (how, revoke) => {
    const maker = await join(api, root, email(), 'admin');
    const scopes = ['chat', 'jobs:read', 'documents:write', 'admin'];
    const { json } = await api.post('/api/v1/auth/keys', { name: 'ci', scopes, owner: 'workspace' }, maker.token);
    const secret = String(json.secret);
    const me = await api.get('/api/v1/auth/me', secret);
    const service = { ...maker, id: (me.json.user as unknown as { id: string }).id };
    const theirs = await openAll(secret, await job(service, String(json.id)));
    expect((await revoke(maker)).status).toBeLessThan(300);
    const since = performance.now();
    if (how === 'made a viewer') {
      await assertCut(theirs.slice(0, 1), since);
      expect((await api.get('/api/v1/auth/me', secret)).json.scopes).toEqual(['chat', 'jobs:read']);
    } else {
      await assertCut(theirs, since);
      await assertRefused(secret, since);
    }
  });

  it.each<[string, (victim: Person) => Promise<{ status: number }>]>([
    ['suspended', (victim) => patchUser(victim, { status: 'suspended' })],
    ['removed from the workspace', (victim) => office.delete(membership(victim), root.token)],
  ])('ends the running work of a person who was %s, and what waits never begins', async (_, revoke) => {
    const victim = await join(api, root, email(), 'editor');
    const running = await job(victim);
    while ((await get(Jobs).finished(running, 0, new AbortController().signal)) !== undefined || handler.attempts.at(-1)?.jobId !== running)
      await new Promise(setImmediate);
    expect((await revoke(victim)).status).toBeLessThan(300);
    const since = performance.now();
    const ended = await get(Jobs).finished(running, 30_000, new AbortController().signal);
    expect([ended?.status, ended?.error?.code]).toEqual(['failed', 'forbidden']);
    expect(performance.now() - since).toBeLessThan(LIMIT_MS);
    const late = await get(Jobs).finished(await job(victim), 30_000, new AbortController().signal);
    expect([late?.status, late?.error?.code]).toEqual(['failed', 'forbidden']);
    expect(handler.attempts.at(-1)?.jobId).toBe(running);
  });

  it('a resumed person signs in again; the old tokens stay refused', async () => {
    const victim = await join(api, root, email(), 'editor');
    await patchUser(victim, { status: 'suspended' });
    expect((await api.post('/api/v1/auth/login', { email: victim.email, password: PASSWORD })).status).toBe(401);
    expect((await patchUser(victim, { status: 'active' })).status).toBe(200);
    expect((await login(api, victim.email)).id).toBe(victim.id);
    await assertRefused(victim.token, performance.now());
  });
});
