import { once } from 'node:events';
import { PostgresClient, sql } from '@backing/postgres';
import { Audit, type AuditDetails } from '@features/audit';
import { ApiKeys, Authenticator } from '@features/auth';
import { JobHandlers, Jobs } from '@features/jobs';
import type { Role } from '@kernel/identity';
import { OpenAnswers } from '../../../apps/api/src/http/open-answers.service';
import { startApi, type TestApi } from '../../support/api';
import { Doors, type OpenDoor } from '../../support/doors';
import { TestHandler, testWork, untilAborted } from '../../support/jobs';
import { PlannedRuntime } from '../../support/planned.runtime';
import { People, type Person } from '../kit';

const LIMIT_MS = 5_000;
const MODEL = 'staller';

interface Member extends Person {
  token: string;
}

/** Rights that end while they are used. Changes are made by SQL, as another process makes them: nothing in this process hears of them. */
describe('rights that end', () => {
  let api: TestApi;
  let database: PostgresClient;
  let people: People;
  let workspaceId: string;
  let handler: TestHandler;
  let model: PlannedRuntime;

  const get = <T>(type: abstract new (...parameters: never[]) => T): T => api.app.get(type as never, { strict: false });

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000' } });
    database = get(PostgresClient);
    await database.query(sql`CREATE TABLE effects (job_id uuid, status text, text text)`);
    people = await People.of(api, database);
    workspaceId = (await people.make('host')).ownWorkspaceId;
    handler = new TestHandler(() => ({ jobs: get(Jobs), client: database }));
    handler.work = ({ signal }) => untilAborted(signal);
    get(JobHandlers).register([handler]);
    model = new PlannedRuntime(MODEL, false).serve(api.app);
    model.plan = async function* ({ signal }) {
      yield { say: 'It begins. ' };
      await untilAborted(signal);
    };
  });
  afterEach(async () => {
    for (const { id } of await database.query<{ id: string }>(sql`SELECT id FROM jobs WHERE finished_at IS NULL`))
      await get(Jobs).supersede(id);
  });
  afterAll(() => api?.close());

  async function member(role: Role, instanceAdmin = false): Promise<Member> {
    const person = await people.make(role, { instanceAdmin });
    await people.join(person.userId, workspaceId, role);
    return { ...person, token: await people.token(person.userId, workspaceId) };
  }

  async function job(
    ownerId: string,
    { visibility = 'private' as 'private' | 'workspace', apiKeyId = null as string | null } = {},
  ): Promise<string> {
    const { jobId, ctes } = get(Jobs).acceptance(testWork, { name: 'x' }, { workspaceId, ownerId, apiKeyId, visibility });
    await database.query(sql`WITH ${ctes} SELECT id FROM job`);
    get(Jobs).wake();
    return jobId;
  }

  async function upload(token: string): Promise<OpenDoor> {
    const arrived = once(api.app.getHttpServer(), 'request');
    const door = new Doors(api, token, MODEL).upload();
    await arrived;
    return door;
  }

  async function events(token: string, jobId: string): Promise<OpenDoor> {
    const door = new Doors(api, token, MODEL).events(jobId);
    await door.answered;
    return door;
  }

  async function workspaceKey(token: string, scopes: string[]) {
    const answer = await api.post('/api/v1/auth/keys', { name: 'k', scopes, owner: 'workspace' }, token);
    return { status: answer.status, id: String(answer.json.id), secret: String(answer.json.secret) };
  }

  const suspend = ({ userId }: Person) => database.query(sql`UPDATE users SET status = 'suspended' WHERE id = ${userId}::uuid`);
  const setRole = ({ userId }: Person, role: Role) => people.join(userId, workspaceId, role);
  const cut = async (doors: OpenDoor[]): Promise<boolean[]> => Promise.all(doors.map((door) => door.endsWithin(LIMIT_MS)));

  async function statusWithin(token: string, wanted: number, path = '/api/v1/auth/me'): Promise<number> {
    const deadline = performance.now() + LIMIT_MS;
    for (;;) {
      const { status } = await api.get(path, token);
      if (status === wanted || performance.now() > deadline) return status;
      await new Promise(setImmediate);
    }
  }

  describe('G10 P02 of a suspended person', () => {
    it('G10 close every door within 5 s: events, completions in hand, uploads, the next request, the key', async () => {
      const victim = await member('editor');
      const key = await api.key(victim.token, ['chat', 'jobs:read']);
      const doors = new Doors(api, victim.token, MODEL);
      const open = [await events(victim.token, await job(victim.userId)), doors.stream(), doors.completion(), await upload(victim.token)];
      open.push(await events(key, await job(victim.userId)));
      while (model.requests.length < 2) await new Promise(setImmediate);
      expect(await Promise.all(open.map((door) => door.endsWithin(20)))).toEqual([false, false, false, false, false]);
      await suspend(victim);
      expect(await cut(open)).toEqual([true, true, true, true, true]);
      for (const bearer of [victim.token, key]) expect(await statusWithin(bearer, 401)).toBe(401);
    });

    it('G10 end the work that runs for them, and what waits never begins', async () => {
      const victim = await member('editor');
      const running = await job(victim.userId);
      while (handler.attempts.at(-1)?.jobId !== running) await new Promise(setImmediate);
      await suspend(victim);
      const ended = await get(Jobs).finished(running, LIMIT_MS, new AbortController().signal);
      expect([ended?.status, ended?.error?.code]).toEqual(['failed', 'forbidden']);
    });

    it('G10 let nothing begin that still waited', async () => {
      const victim = await member('editor');
      await suspend(victim);
      const id = await job(victim.userId);
      await get(Jobs).finished(id, LIMIT_MS, new AbortController().signal);
      expect(handler.attempts.map(({ jobId }) => jobId)).not.toContain(id);
    });

    it('G10 end the work of a key that is deleted', async () => {
      const victim = await member('editor');
      await api.key(victim.token, ['chat']);
      const [key] = await database.query<{ id: string }>(sql`SELECT id FROM api_keys WHERE owner_id = ${victim.userId}::uuid`);
      const running = await job(victim.userId, { apiKeyId: key?.id ?? '' });
      while (handler.attempts.at(-1)?.jobId !== running) await new Promise(setImmediate);
      await database.query(sql`UPDATE api_keys SET revoked_at = now() WHERE id = ${key?.id}::uuid`);
      const ended = await get(Jobs).finished(running, LIMIT_MS, new AbortController().signal);
      expect(ended?.error?.code).toBe('forbidden');
    });
  });

  describe('G10 P02 of somebody with a lower role', () => {
    it('G10 close what needs the higher one, and leave what does not', async () => {
      const victim = await member('editor');
      const stays = await events(victim.token, await job(victim.userId));
      const goes = await upload(victim.token);
      await setRole(victim, 'viewer');
      expect(await goes.endsWithin(LIMIT_MS)).toBe(true);
      expect(await stays.endsWithin(100)).toBe(false);
    });

    it('P02 close the events of a job that was shared and is not any more', async () => {
      const [maker, reader] = [await member('editor'), await member('viewer')];
      const jobId = await job(maker.userId, { visibility: 'workspace' });
      const [own, foreign] = [await events(maker.token, jobId), await events(reader.token, jobId)];
      await database.query(sql`UPDATE jobs SET visibility = 'private' WHERE id = ${jobId}::uuid`);
      expect(await foreign.endsWithin(LIMIT_MS)).toBe(true);
      expect(await own.endsWithin(100)).toBe(false);
      expect((await api.get(`/api/v1/jobs/${jobId}`, reader.token)).status).toBe(404);
    });

    it('E11 E10 P02 what somebody shares is ended by nobody below an admin', async () => {
      const maker = await member('editor');
      const jobId = await job(maker.userId, { visibility: 'workspace' });
      for (const role of ['viewer', 'editor'] as const) {
        const other = await member(role);
        for (const verb of ['cancel', 'retry']) {
          const { status, json } = await api.post(`/api/v1/jobs/${jobId}/${verb}`, undefined, other.token);
          expect([role, verb, status, json.code]).toEqual([role, verb, 403, 'forbidden']);
        }
      }
      expect((await api.post(`/api/v1/jobs/${jobId}/cancel`, undefined, (await member('admin')).token)).status).toBe(200);
    });
  });

  it('G10 a revocation in this process is heard at once, not at the next look', async () => {
    const heard: string[] = [];
    const answers = new OpenAnswers(get(Authenticator), { counter: () => ({ add: () => undefined }) } as never);
    const victim = await member('viewer');
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
    answers.onApplicationBootstrap();
    jest.useRealTimers();
    const raw = { once: () => undefined, destroy: () => heard.push('cut') };
    const principal = await get(Authenticator).authenticate(victim.token);
    const request = {
      principal,
      headers: { authorization: `Bearer ${victim.token}` },
      routeOptions: { config: { access: { public: false, scopes: 'any', role: 'viewer' } } },
    };
    answers.watch(request as never, { raw } as never);
    expect((await api.post('/api/v1/auth/logout', undefined, victim.token)).status).toBe(204);
    const deadline = performance.now() + LIMIT_MS;
    while (heard.length === 0 && performance.now() < deadline) await new Promise(setImmediate);
    answers.beforeApplicationShutdown();
    expect(heard).toEqual(['cut']);
  });

  describe('F08 E20 G10 keys of a workspace', () => {
    it('F08 are made by admins alone, with what these have, and never with rights over the instance', async () => {
      const [admin, editor, root] = [await member('admin'), await member('editor'), await member('admin', true)];
      expect((await workspaceKey(editor.token, ['chat'])).status).toBe(403);
      expect((await workspaceKey(root.token, ['models:write'])).status).toBe(403);
      expect((await workspaceKey(admin.token, ['chat', 'admin'])).status).toBe(201);
    });

    it('F08 of an instance admin do not govern the instance', async () => {
      const { secret } = await workspaceKey((await member('admin', true)).token, ['admin']);
      expect((await api.get('/api/v1/users', secret)).status).toBe(403);
    });

    it('F08 make no keys', async () => {
      const { secret } = await workspaceKey((await member('admin')).token, ['admin', 'chat']);
      const { status } = await api.post('/api/v1/auth/keys', { name: 'again', scopes: ['chat'] }, secret);
      expect(status).toBe(403);
      // Behind the mark of the route the feature itself refuses.
      const request = {
        owner: 'me',
        name: 'again',
        scopes: ['chat'],
        expiresAt: null,
        requestsPerMinute: null,
        tokensPerDay: null,
      } as const;
      const principal = await get(Authenticator).authenticate(secret);
      await expect(get(ApiKeys).create(principal, { ...request, scopes: ['chat'] })).rejects.toMatchObject({ code: 'forbidden' });
    });

    it('E01 read nothing private of their maker', async () => {
      const admin = await member('admin');
      const { secret } = await workspaceKey(admin.token, ['chat']);
      const session = await api.post('/api/v1/chat/sessions', { title: 'Private' }, admin.token);
      expect((await api.get(`/api/v1/chat/sessions/${String(session.json.id)}`, secret)).status).toBe(404);
    });

    it('G10 fall with a maker who is suspended', async () => {
      const admin = await member('admin');
      const { secret } = await workspaceKey(admin.token, ['chat']);
      expect(await statusWithin(secret, 200)).toBe(200);
      await suspend(admin);
      expect(await statusWithin(secret, 401)).toBe(401);
    });

    it('E20 fall with a maker who is removed', async () => {
      const admin = await member('admin');
      const { secret } = await workspaceKey(admin.token, ['chat']);
      expect(await statusWithin(secret, 200, '/api/v1/chat/sessions')).toBe(200);
      await database.query(sql`DELETE FROM memberships WHERE user_id = ${admin.userId}::uuid AND workspace_id = ${workspaceId}::uuid`);
      expect(await statusWithin(secret, 401, '/api/v1/chat/sessions')).toBe(401);
    });

    it('G10 their work falls with a maker who is suspended', async () => {
      const admin = await member('admin');
      const key = await workspaceKey(admin.token, ['chat']);
      const [row] = await database.query<{ owner_id: string }>(sql`SELECT owner_id FROM api_keys WHERE id = ${key.id}::uuid`);
      await suspend(admin);
      const id = await job(row?.owner_id ?? '', { apiKeyId: key.id });
      const ended = await get(Jobs).finished(id, LIMIT_MS, new AbortController().signal);
      expect([ended?.status, ended?.error?.code]).toEqual(['failed', 'forbidden']);
    });
  });

  describe('I02 N01 the audit log', () => {
    it('I02 shows a workspace to its admins alone, and everything to nobody but the instance admin', async () => {
      const admin = await member('admin');
      const stranger = await people.make('stranger');
      const theirs = await people.token(stranger.userId, stranger.ownWorkspaceId);
      await get(Audit).add(undefined, { workspaceId, actor: admin, action: 'workspace.changed' });
      expect((await api.get('/api/v1/audit', (await member('editor')).token)).status).toBe(403);
      expect((await api.get('/api/v1/audit?scope=instance', admin.token)).status).toBe(403);
      expect((await api.get('/api/v1/audit', theirs)).json.data).toEqual([]);
      expect((await api.get('/api/v1/audit?scope=instance', (await member('viewer', true)).token)).status).toBe(403);
    });

    it('N01 takes no secret, whatever it is given', async () => {
      const details = {
        role: 'viewer',
        password: 'canary-of-a-password',
        owner: { token: 'canary-of-a-token' },
      } as unknown as AuditDetails;
      await get(Audit).add(undefined, { workspaceId, actor: null, action: 'workspace.changed', details });
      const rows = await database.query(sql`SELECT details FROM audit_entries`);
      expect(JSON.stringify(rows)).not.toContain('canary-of');
    });
  });
});
