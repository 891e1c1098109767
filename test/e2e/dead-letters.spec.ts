import { JobHandlers, Jobs } from '@features/jobs';
import { PostgresClient, sql } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { startApi, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { TestHandler, testWork } from '../support/jobs';
import { until } from '../support/until';

interface Outcome {
  id: string;
  job_id: string | null;
  error: { code: string; message: string } | null;
}

describeDatabases('Dead letters', (kind) => {
  let api: TestApi;
  let admin: Registered;
  let member: Registered;
  let handler: TestHandler;
  const client = (): PostgresClient => api.app.get(PostgresClient, { strict: false });

  beforeAll(async () => {
    api = await startApi({ database: kind, env: { AUTH_REGISTRATION: 'open' } });
    await client().query(sql`CREATE TABLE effects (job_id uuid, status text, text text)`);
    handler = new TestHandler(() => ({ jobs: api.app.get(Jobs, { strict: false }), client: client() }));
    api.app.get(JobHandlers, { strict: false }).register([handler]);
    admin = await api.register();
    member = await api.register('member@example.org');
  });
  afterEach(async () => {
    await client().query(sql`DELETE FROM jobs`);
  });
  afterAll(() => api.close());

  /** A job of the member's that has ended with this failure. */
  async function failed(error: AppError): Promise<string> {
    handler.work = () => Promise.reject(error);
    const jobs = api.app.get(Jobs, { strict: false });
    const { jobId, ctes } = jobs.acceptance(
      { ...testWork, maxAttempts: 1 },
      { name: 'dead' },
      { workspaceId: member.workspaceId, ownerId: member.userId },
    );
    await client().query(sql`WITH ${ctes} SELECT id FROM job`);
    jobs.wake();
    await until(async () => (await api.get(`/api/v1/jobs/${jobId}`, member.accessToken)).json.status === 'failed');
    handler.work = async () => ({});
    return jobId;
  }
  const away = (): AppError => new AppError('unavailable', 'The model is away.');
  const listed = async (query = ''): Promise<Record<string, unknown>[]> => {
    const answer = await api.get(`/api/v1/jobs/dead-letters${query}`, admin.accessToken);
    expect(answer.status).toBe(200);
    return answer.json.data as unknown as Record<string, unknown>[];
  };
  const redrive = (body: object, token = admin.accessToken) => api.post('/api/v1/jobs/dead-letters/redrive', body, token);
  const outcomes = async (body: object): Promise<Outcome[]> => {
    const answer = await redrive(body);
    expect(answer.status).toBe(202);
    return answer.json.data as unknown as Outcome[];
  };

  it('are the jobs that the platform could not do, with the reason, and not those whose request was wrong', async () => {
    const id = await failed(away());
    const full = await failed(new AppError('storage_full', 'The disk is full.'));
    await failed(new AppError('unprocessable', 'The document has no text.'));
    const letters = await listed();
    expect(letters.map((letter) => letter.id)).toEqual([full, id]);
    expect(letters[1]).toMatchObject({
      kind: 'test.work',
      status: 'failed',
      workspace_id: member.workspaceId,
      owner_id: member.userId,
      error: { code: 'unavailable', message: 'The model is away.', retryable: true },
    });
    expect(JSON.stringify(letters)).not.toContain('payload');
    expect((await listed('?limit=1')).map((letter) => letter.id)).toEqual([full]);
    expect((await listed(`?limit=1&after=${full}`)).map((letter) => letter.id)).toEqual([id]);
    expect(await listed('?kind=other.work')).toEqual([]);
  });

  it('are redriven as new jobs in the name of their makers, once, and written down', async () => {
    const id = await failed(away());
    const answers = await Promise.all([outcomes({ ids: [id] }), outcomes({ ids: [id] }), outcomes({ ids: [id, id] })]);
    const made = answers.flat().filter((outcome) => outcome.job_id !== null);
    expect(made).toHaveLength(1);
    expect(answers.flat()).toHaveLength(3);
    expect(answers.flat().filter((outcome) => outcome.error?.code === 'not_found')).toHaveLength(2);
    const jobId = made[0]?.job_id ?? '';
    await until(async () => (await api.get(`/api/v1/jobs/${jobId}`, member.accessToken)).json.status === 'succeeded');
    expect((await api.get(`/api/v1/jobs/${jobId}`, member.accessToken)).json).toMatchObject({ retry_of: id, kind: 'test.work' });
    expect((await api.get(`/api/v1/jobs/${jobId}`, admin.accessToken)).status).toBe(404);
    expect(await listed()).toEqual([]);
    const entries = await client().query(sql`SELECT action, actor_id FROM audit_entries WHERE subject_id = ${id}`);
    expect(entries).toEqual([{ action: 'job.redriven', actor_id: admin.userId }]);
  });

  it('are none any more when their maker has tried again', async () => {
    const id = await failed(away());
    expect((await api.post(`/api/v1/jobs/${id}/retry`, {}, member.accessToken)).status).toBe(202);
    expect(await listed()).toEqual([]);
    expect(await outcomes({ ids: [id] })).toMatchObject([{ id, job_id: null, error: { code: 'not_found' } }]);
  });

  it('are redriven all, one kind after the other or from one on; what is refused says why and stays', async () => {
    const ids = [await failed(away()), await failed(away()), await failed(away())];
    expect(await outcomes({ all: true, kind: 'other.work' })).toEqual([]);
    expect((await outcomes({ all: true, after: ids[1] })).map((outcome) => outcome.id)).toEqual([ids[2]]);
    await client().query(sql`UPDATE users SET status = 'suspended' WHERE id = ${member.userId}::uuid`);
    expect(await outcomes({ all: true })).toMatchObject(ids.slice(0, 2).map((id) => ({ id, job_id: null, error: { code: 'forbidden' } })));
    await client().query(sql`UPDATE users SET status = 'active' WHERE id = ${member.userId}::uuid`);
    expect(await listed()).toHaveLength(2);
    const answer = await redrive({ all: true });
    expect(answer.json).toMatchObject({ data: [{ id: ids[0] }, { id: ids[1] }], has_more: false });
    expect(await listed()).toEqual([]);
  });

  it('are for the instance admin alone, and a body says which, in one way', async () => {
    expect((await api.get('/api/v1/jobs/dead-letters', member.accessToken)).status).toBe(403);
    expect((await redrive({ all: true }, member.accessToken)).status).toBe(403);
    for (const body of [{}, { all: true, ids: [member.userId] }, { ids: [] }, { ids: ['x'] }, { all: false }, { all: true, other: 1 }])
      expect((await redrive(body)).status).toBe(400);
  });
});
