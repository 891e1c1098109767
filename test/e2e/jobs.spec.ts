import { once } from 'node:events';
import { connect } from 'node:net';
import { JobHandlers, Jobs } from '@features/jobs';
import { PostgresClient, sql } from '@backing/postgres';
import { Readiness } from '@features/health';
import { AppError } from '@kernel/errors';
import { StreamTiming } from '../../apps/api/src/jobs/stream-timing.entity';
import { startApi, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { gate, TestHandler, testWork, untilAborted } from '../support/jobs';

interface Received {
  id: number;
  event: string;
  data: Record<string, unknown>;
}

/** Reads a stream of events to its end, or until `enough` says so; the rest of the connection is dropped then. */
async function received(response: Response, enough: (events: Received[]) => boolean = () => false): Promise<Received[]> {
  const events: Received[] = [];
  let text = '';
  const decoder = new TextDecoder();
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return events;
    text += decoder.decode(value, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: (.*)/s).slice(0, 2)),
      );
      text = text.slice(end + 2);
      if (fields.id !== undefined)
        events.push({ id: Number(fields.id), event: String(fields.event), data: JSON.parse(String(fields.data)) });
    }
    if (enough(events)) {
      await reader.cancel();
      return events;
    }
  }
}

describeDatabases('Jobs over HTTP', (kind) => {
  let api: TestApi;
  let me: Registered;
  let handler: TestHandler;

  /** Gives the running application a kind of work that the test controls. */
  function addHandler(): void {
    handler = new TestHandler(() => ({
      jobs: api.app.get(Jobs, { strict: false }),
      client: api.app.get(PostgresClient, { strict: false }),
    }));
    api.app.get(JobHandlers, { strict: false }).register([handler]);
  }

  async function accept(owner = me): Promise<string> {
    const jobs = api.app.get(Jobs, { strict: false });
    const { workspaceId, userId: ownerId } = owner;
    const { jobId, ctes } = jobs.acceptance(testWork, { name: 'e2e' }, { workspaceId, ownerId, requestId: 'made-by-test' });
    await api.app.get(PostgresClient, { strict: false }).query(sql`WITH ${ctes} SELECT id FROM job`);
    jobs.wake();
    return jobId;
  }

  const events = (id: string, headers: Record<string, string> = {}, query = ''): Promise<Response> =>
    api.fetch(`/api/v1/jobs/${id}/events${query}`, { token: me.accessToken, headers });
  const job = (id: string) => api.get(`/api/v1/jobs/${id}`, me.accessToken);

  beforeAll(async () => {
    api = await startApi({ database: kind, env: { AUTH_REGISTRATION: 'open' } });
    await api.app.get(PostgresClient, { strict: false }).query(sql`CREATE TABLE effects (job_id uuid, status text, text text)`);
    addHandler();
    me = await api.register();
  });
  afterAll(() => api.close());

  it('streams events as they are committed, with the headers of a stream and of every answer', async () => {
    const [more, end] = [gate(), gate()];
    handler.work = async (context) => {
      await context.emit('delta', { text: 'line\nbreak "quoted" \u2028 ü' });
      await more.opened;
      await context.emit('delta', { text: 'second' });
      await end.opened;
      return { answer: 42 };
    };
    const id = await accept();
    const response = await events(id);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-request-id': expect.any(String),
      'x-ratelimit-limit': expect.any(String),
      'x-content-type-options': 'nosniff',
    });
    const all = await received(response, (so_far) => {
      if (so_far.some(({ event }) => event === 'delta')) more.open();
      if (so_far.filter(({ event }) => event === 'delta').length === 2) end.open();
      return false;
    });
    const named = all.filter(({ event }) => event !== 'queued');
    expect(named.map(({ event }) => event)).toEqual(['accepted', 'started', 'delta', 'delta', 'done']);
    expect(all.map(({ id: seq }) => seq)).toEqual(all.map((_, n) => n + 1));
    expect(named[0]?.data).toEqual({ job_id: id, events_url: `/api/v1/jobs/${id}/events` });
    expect(named[2]?.data).toEqual({ text: 'line\nbreak "quoted" \u2028 ü' });
    expect(all.at(-1)?.data).toMatchObject({ answer: 42 });
    expect((await job(id)).json).toMatchObject({
      id,
      kind: 'test.work',
      status: 'succeeded',
      attempt: 1,
      max_attempts: 3,
      result: { answer: 42 },
      request_id: 'made-by-test',
      events_url: `/api/v1/jobs/${id}/events`,
    });
  });

  it('resumes at every position by header and by query, and says 204 at the end', async () => {
    handler.work = async (context) => {
      for (let n = 0; n < 8; n += 1) await context.emit('delta', { text: `${n}` });
      return {};
    };
    const id = await accept();
    const all = await received(await events(id));
    for (let after = 0; after < all.length; after += 1) {
      expect(await received(await events(id, { 'last-event-id': String(after) }))).toEqual(all.slice(after));
      expect(await received(await events(id, {}, `?after=${after}`))).toEqual(all.slice(after));
    }
    expect(await received(await events(id, { 'last-event-id': '3' }, '?after=5'))).toEqual(all.slice(3));
    const last = all.length;
    const ended = await events(id, { 'last-event-id': String(last) });
    expect([ended.status, await ended.text()]).toEqual([204, '']);
    const statuses = [`?after=${last + 1}`, '?after=x', '?after=-1', '?other=1'].map(async (query) => (await events(id, {}, query)).status);
    expect(await Promise.all(statuses)).toEqual([400, 400, 400, 400]);
    const fieldOf = async (response: Response): Promise<unknown> => {
      const { code, errors } = (await response.json()) as { code: string; errors: { path: string }[] };
      return [response.status, code, errors.map(({ path }) => path)];
    };
    for (const header of ['abc', '-1', '1.5', '99999999999', String(last + 1)])
      expect(await fieldOf(await events(id, { 'last-event-id': header }))).toEqual([400, 'invalid', ['Last-Event-ID']]);
    for (const query of ['x', '-1', String(last + 1)])
      expect(await fieldOf(await events(id, {}, `?after=${query}`))).toEqual([400, 'invalid', ['after']]);
  });

  it('resumes after a dropped connection and after a restart of the server, the work begun anew with reset', async () => {
    const running = gate();
    handler.work = async (context) => {
      await context.emit('delta', { text: 'half' });
      running.open();
      return untilAborted(context.signal);
    };
    const id = await accept();
    const first = await received(await events(id), (so_far) => so_far.some(({ event }) => event === 'delta'));
    await running.opened;
    const open = await events(id, { 'last-event-id': String(first.length) });
    const restarted = api.restart();
    expect(await received(open)).toEqual([]);
    await restarted;
    addHandler();
    handler.work = async (context) => {
      await context.emit('delta', { text: 'whole' });
      return {};
    };
    const rest = await received(await events(id, { 'last-event-id': String(first.length) }));
    const all = [...first, ...rest].filter(({ event }) => event !== 'queued');
    expect(all.map(({ event }) => event)).toEqual(['accepted', 'started', 'delta', 'reset', 'started', 'delta', 'done']);
    expect([...first, ...rest].map(({ id: seq }) => seq)).toEqual([...first, ...rest].map((_, n) => n + 1));
    expect((await job(id)).json).toMatchObject({ status: 'succeeded', attempt: 1, result: { text: 'whole' } });
  });

  it('goes on when its reader leaves', async () => {
    const [started, release] = [gate(), gate()];
    handler.work = async (context) => {
      started.open();
      await release.opened;
      await context.emit('delta', { text: 'unheard' });
      return {};
    };
    const id = await accept();
    await received(await events(id), (so_far) => so_far.some(({ event }) => event === 'started'));
    await started.opened;
    release.open();
    expect((await received(await events(id))).at(-1)?.event).toBe('done');
  });

  it('cancels with 200 and again 200, and answers 409 when it has ended otherwise', async () => {
    const started = gate();
    handler.work = async (context) => {
      started.open();
      return untilAborted(context.signal);
    };
    const id = await accept();
    const stream = received(await events(id));
    await started.opened;
    const cancelled = await api.post(`/api/v1/jobs/${id}/cancel`, undefined, me.accessToken);
    expect([cancelled.status, cancelled.json]).toEqual([
      200,
      expect.objectContaining({ status: 'cancelled', cancel_requested_at: expect.any(String) }),
    ]);
    expect((await stream).at(-1)).toMatchObject({ event: 'cancelled', data: {} });
    expect((await api.post(`/api/v1/jobs/${id}/cancel`, undefined, me.accessToken)).json).toEqual(cancelled.json);
    handler.work = async () => ({});
    const done = await accept();
    await received(await events(done));
    const refused = await api.post(`/api/v1/jobs/${done}/cancel`, undefined, me.accessToken);
    expect([refused.status, refused.json.code]).toEqual([409, 'conflict']);
  });

  it('retries a failed job as a new one', async () => {
    handler.work = async () => {
      throw new AppError('unprocessable', 'It cannot be done.');
    };
    const id = await accept();
    expect((await received(await events(id))).at(-1)).toMatchObject({ event: 'error', data: { code: 'unprocessable', retryable: false } });
    expect((await job(id)).json).toMatchObject({ status: 'failed', error: { code: 'unprocessable', message: 'It cannot be done.' } });
    handler.work = async () => ({});
    const again = await api.post(`/api/v1/jobs/${id}/retry`, undefined, me.accessToken);
    expect([again.status, again.json]).toEqual([
      202,
      expect.objectContaining({ retry_of: id, request_id: again.headers.get('x-request-id') }),
    ]);
    expect(again.headers.get('location')).toBe(`/api/v1/jobs/${String(again.json.id)}`);
    expect((await received(await events(String(again.json.id)))).at(-1)?.event).toBe('done');
    expect((await api.post(`/api/v1/jobs/${String(again.json.id)}/retry`, undefined, me.accessToken)).status).toBe(409);
  });

  it('answers 410 when the events are older than the retention', async () => {
    const id = await accept();
    await received(await events(id));
    await api.app.get(PostgresClient, { strict: false }).query(sql`DELETE FROM job_events WHERE job_id = ${id}::uuid`);
    const gone = await api.get(`/api/v1/jobs/${id}/events`, me.accessToken);
    expect([gone.status, gone.json.code, gone.json.job_id]).toEqual([410, 'gone', id]);
    // With the final state, which outlives the events.
    expect(gone.json.job).toEqual((await job(id)).json);
    expect(gone.json.job).toMatchObject({ id, status: 'succeeded', result: {} });
  });

  it('tells the reader of a quiet stream that it is there', async () => {
    const end = gate();
    handler.work = async () => {
      await end.opened;
      return {};
    };
    const timing = api.app.get(StreamTiming, { strict: false });
    expect(timing.heartbeatMs).toBe(10_000);
    Object.assign(timing, { heartbeatMs: 20 });
    const response = await events(await accept());
    let text = '';
    for await (const bytes of response.body as ReadableStream<Uint8Array>) {
      text += Buffer.from(bytes).toString();
      if (text.split('\n\n: \n\n').length > 2) end.open();
    }
    Object.assign(timing, { heartbeatMs: 10_000 });
    expect(text).toMatch(/event: done\ndata: .*\n\n$/u);
  });

  it('says from the beginning of a drain that each answer is the last on its connection', async () => {
    const readiness = api.app.get(Readiness, { strict: false });
    const connections = async (): Promise<(string | null)[]> =>
      [await api.get('/readyz'), await api.get('/api/v1/jobs', me.accessToken)].map(({ headers }) => headers.get('connection'));
    expect(await connections()).toEqual(['keep-alive', 'keep-alive']);
    readiness.drain();
    expect(await connections()).toEqual(['close', 'close']);
    expect((await api.get('/readyz')).status).toBe(503);
    await api.restart();
    addHandler();
    expect(await connections()).toEqual(['keep-alive', 'keep-alive']);
  });

  it('belongs to its maker: for another account it does not exist', async () => {
    const other = await api.register('other@example.org');
    const id = await accept();
    await received(await events(id));
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/events'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
    ] as const) {
      const answer = await api.request(`/api/v1/jobs/${id}${path}`, { method, token: other.accessToken });
      expect([path, answer.status, answer.json.code]).toEqual([path, 404, 'not_found']);
    }
    expect((await api.get('/api/v1/jobs', other.accessToken)).json.data).toEqual([]);
  });

  it('does not hold a stop up by connections on which nothing was ever asked', async () => {
    const silent = connect(Number(new URL(api.url).port), '127.0.0.1');
    await once(silent, 'connect');
    const closed = once(silent, 'close');
    await api.restart();
    addHandler();
    await closed;
  }, 10_000);

  it('lists with filters and pages, and refuses unknown ones', async () => {
    const all = await api.get('/api/v1/jobs?kind=test.work&status=succeeded&limit=2', me.accessToken);
    expect(all.json).toMatchObject({ object: 'list', has_more: true, data: [{ status: 'succeeded' }, { status: 'succeeded' }] });
    const next = await api.get(`/api/v1/jobs?limit=1&after=${String(all.json.last_id)}`, me.accessToken);
    expect(String(next.json.first_id) < String(all.json.last_id)).toBe(true);
    const refused = ['status=gone', 'kind=A B', 'limit=0', 'page=2'].map(
      async (query) => (await api.get(`/api/v1/jobs?${query}`, me.accessToken)).status,
    );
    expect(await Promise.all(refused)).toEqual([400, 400, 400, 400]);
  });
});
