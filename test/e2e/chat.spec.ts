import { sql, PostgresClient } from '@backing/postgres';
import { describeDatabases } from '../support/databases';
import { startApi, type Registered, type TestApi } from '../support/api';
import { CHAT } from '../support/models';
import { parseEvents } from '../support/events';

const SESSIONS = '/api/v1/chat/sessions';

describeDatabases('chat over HTTP', (kind) => {
  let api: TestApi;
  let owner: Registered;

  beforeAll(async () => {
    api = await startApi({ database: kind, env: { AUTH_REGISTRATION: 'open' } });
    owner = await api.register();
  });

  afterAll(() => api.close());

  const newSession = async (body: object = {}): Promise<string> => {
    const { status, json } = await api.post(SESSIONS, body, owner.accessToken);
    expect(status).toBe(201);
    return String(json.id);
  };
  const messagesOf = (session: string): string => `${SESSIONS}/${session}/messages`;
  const ask = (session: string, content: string, query = '') => api.post(`${messagesOf(session)}${query}`, { content }, owner.accessToken);

  describe('sessions', () => {
    it('are made, read, changed under If-Match, listed and deleted', async () => {
      const made = await api.post(SESSIONS, { title: 'First', system: 'Be brief.', options: { temperature: 0 } }, owner.accessToken);
      expect(made.status).toBe(201);
      expect(made.headers.get('location')).toBe(`${SESSIONS}/${String(made.json.id)}`);
      expect(made.json).toMatchObject({
        title: 'First',
        system: 'Be brief.',
        collections: [],
        visibility: 'private',
        options: { temperature: 0 },
      });
      const path = `${SESSIONS}/${String(made.json.id)}`;
      const tag = made.headers.get('etag') ?? '';
      const change = (body: object, match: string) =>
        api.request(path, { method: 'PATCH', token: owner.accessToken, body, headers: { 'if-match': match } });
      const changed = await change({ title: 'Second', system: null }, tag);
      expect(changed.status).toBe(200);
      expect(changed.json).toMatchObject({ title: 'Second', system: null });
      expect((await change({ title: 'Third' }, tag)).json).toMatchObject({ status: 412, code: 'precondition_failed' });
      expect((await change({ title: 'Third' }, '"abc"')).status).toBe(412);
      const listed = await api.get(SESSIONS, owner.accessToken);
      expect(listed.json.data).toContainEqual(changed.json);
      const remove = (match: string) => api.request(path, { method: 'DELETE', token: owner.accessToken, headers: { 'if-match': match } });
      expect((await remove(tag)).status).toBe(412);
      expect((await remove(changed.headers.get('etag') ?? '')).status).toBe(204);
      expect((await api.get(path, owner.accessToken)).status).toBe(404);
    });

    it('answer others as if they were not there, unless they are shared', async () => {
      const session = await newSession({ title: 'Mine' });
      const other = await api.register('second@example.org');
      const path = `${SESSIONS}/${session}`;
      for (const [method, route, body] of [
        ['GET', path],
        ['PATCH', path, { title: 'x' }],
        ['DELETE', path],
        ['GET', messagesOf(session)],
        ['POST', messagesOf(session), { content: 'Hello?' }],
      ] as const) {
        const answer = await api.request(route, { method, token: other.accessToken, body });
        expect([method, route, answer.status]).toEqual([method, route, 404]);
      }
      expect((await api.get(path, owner.accessToken)).status).toBe(200);
    });

    it.each([
      [{ model: 'no-such-model' }, 400, 'model'],
      [{ collections: ['nowhere'] }, 404, 'nowhere'],
      [{ options: { temperature: 2.5 } }, 400, 'options.temperature'],
      [{ options: { stop: ['a', 'b', 'c', 'd', 'e'] } }, 400, 'options.stop'],
      [{ options: { think: 'hard' } }, 400, 'options.think'],
      [{ colour: 'red' }, 400, 'colour'],
      [{ title: '' }, 400, 'title'],
    ])('refuse %j', async (body, status, named) => {
      const answer = await api.post(SESSIONS, body, owner.accessToken);
      expect(answer.status).toBe(status);
      expect(answer.json.detail).toContain(named);
    });
  });

  describe('messages', () => {
    it('are answered while one waits, titled by the first question and listed oldest first', async () => {
      const session = await newSession({ options: { max_tokens: 12 } });
      const asked = await ask(session, 'Say hello in one word.\nPlease.', '?wait=50');
      expect(asked.status).toBe(200);
      const { message, answer, job } = asked.json as unknown as Record<string, Record<string, unknown>>;
      expect(asked.headers.get('location')).toBe(`/api/v1/jobs/${String(job?.id)}`);
      expect(message).toMatchObject({ role: 'user', status: 'complete', parent_id: null });
      expect(answer).toMatchObject({
        role: 'assistant',
        status: 'complete',
        parent_id: message?.id,
        job_id: job?.id,
        model: CHAT,
        citations: [],
      });
      expect(String(answer?.content).length).toBeGreaterThan(0);
      expect(answer?.usage).toMatchObject({ output_tokens: expect.any(Number) });
      expect(job).toMatchObject({ kind: 'chat.answer', status: 'succeeded', result: answer });
      const listed = await api.get(messagesOf(session), owner.accessToken);
      expect(listed.json.data).toEqual([message, answer]);
      const { json } = await api.get(`${SESSIONS}/${session}`, owner.accessToken);
      expect(json.title).toBe('Say hello in one word.');
    });

    it('stream the events of the job when events are accepted; the deltas are the stored message', async () => {
      const session = await newSession({ options: { max_tokens: 24 } });
      const response = await api.fetch(messagesOf(session), {
        method: 'POST',
        token: owner.accessToken,
        body: { content: 'Count from one to five.' },
        headers: { accept: 'text/event-stream' },
      });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      expect(response.headers.get('location')).toMatch(/^\/api\/v1\/jobs\//);
      const events = await parseEvents(response);
      expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
      expect(events[0]).toMatchObject({ event: 'accepted', data: { message_id: expect.any(String), answer_id: expect.any(String) } });
      const last = events.at(-1);
      expect(last?.event).toBe('done');
      const text = events.filter(({ event }) => event === 'delta').map(({ data }) => String(data.text));
      expect(text.join('')).toBe(last?.data.content);
      const stored = await api.get(`${messagesOf(session)}/${String(events[0]?.data.answer_id)}`, owner.accessToken);
      expect(stored.json).toEqual(last?.data);
    });

    it('wait for the open answer: 409 with its job; the cancelled answer keeps its text and can be asked for again', async () => {
      const session = await newSession({ options: { max_tokens: 1500, temperature: 1, seed: 7 } });
      const first = await ask(session, 'Tell a very long story about a river.');
      expect(first.status).toBe(202);
      const { job, answer } = first.json as unknown as { job: { id: string }; answer: { id: string } };
      expect(first.json.answer).toEqual({ id: expect.any(String) });
      const second = await ask(session, 'And another one.');
      expect(second.json).toMatchObject({ status: 409, code: 'conflict', job_id: job.id });
      const cancelled = await api.post(`/api/v1/jobs/${job.id}/cancel`, undefined, owner.accessToken);
      expect(cancelled.status).toBe(200);
      const stopped = await api.get(`${messagesOf(session)}/${answer.id}`, owner.accessToken);
      expect(stopped.json).toMatchObject({ status: 'cancelled', citations: [] });
      const retried = await api.post(`/api/v1/jobs/${job.id}/retry`, undefined, owner.accessToken);
      expect(retried.status).toBe(202);
      expect(retried.json.retry_of).toBe(job.id);
      const listed = await api.get(messagesOf(session), owner.accessToken);
      const rows = listed.json.data as unknown as { id: string; active: boolean; parent_id: string | null; role: string }[];
      expect(rows.map(({ role, active }) => [role, active])).toEqual([
        ['user', true],
        ['assistant', false],
        ['assistant', true],
      ]);
      expect(rows[2]?.parent_id).toBe(rows[0]?.id);
      await api.delete(`${SESSIONS}/${session}`, owner.accessToken);
      const gone = await api.get(`/api/v1/jobs/${String(retried.json.id)}`, owner.accessToken);
      expect(gone.json.status).toBe('cancelled');
    });

    it('of two questions at once exactly one is accepted', async () => {
      const session = await newSession({ options: { max_tokens: 8 } });
      const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => ask(session, `Question ${index}?`)));
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409, 409, 409]);
      const rows = await api.app.get(PostgresClient).query<{ jobs: number; messages: number }>(
        sql`SELECT (SELECT count(*)::int FROM jobs WHERE subject_id = ${session}) AS jobs,
                   (SELECT count(*)::int FROM chat_messages WHERE session_id = ${session}) AS messages`,
      );
      expect(rows[0]).toEqual({ jobs: 1, messages: 2 });
      await api.delete(`${SESSIONS}/${session}`, owner.accessToken);
    });

    it.each([
      [{ content: '' }, 400, 'content'],
      [{ content: '   ' }, 400, 'content'],
      [{ content: 'x'.repeat(32_001) }, 400, 'content'],
      [{ content: 'Hi', model: 'no-such-model' }, 400, 'model'],
      [{ content: 'Hi', model: 'all-minilm-l6-v2' }, 400, 'model'],
      [{ content: 'Hi', collections: ['nowhere'] }, 404, 'nowhere'],
      [{ content: 'Hi', top_k: 0 }, 400, 'top_k'],
      [{ content: 'Hi', options: { max_tokens: 10_000_000 } }, 400, 'options.max_tokens'],
      [{ content: 'Hi', parent_id: '018f0000-0000-7000-8000-000000000000' }, 422, 'parent_id'],
      [{ content: 'Hi', options: { think: true } }, 400, 'options.think'],
      [{ content: 'Hi', parent_id: 'last' }, 400, 'parent_id'],
      [{ content: 'Hi', n: 2 }, 400, 'n'],
    ])('refuse %j', async (body, status, named) => {
      const session = await newSession();
      const answer = await api.post(messagesOf(session), body, owner.accessToken);
      expect(answer.status).toBe(status);
      expect(answer.json.detail).toContain(named);
      const listed = await api.get(messagesOf(session), owner.accessToken);
      expect(listed.json.data).toEqual([]);
    });

    it('that do not fit the context end as a failed answer that says so', async () => {
      const session = await newSession();
      const asked = await ask(session, 'word '.repeat(6_300), '?wait=50');
      expect(asked.status).toBe(200);
      expect(asked.json.answer).toMatchObject({ status: 'failed', error: { code: 'context_length_exceeded', retryable: false } });
      const again = await ask(session, 'Hello?', '?wait=50');
      expect(again.json.answer).toMatchObject({ status: 'complete' });
    });
  });
});

describeDatabases('chat without its model', (kind) => {
  it('is 503 naming the command, and stores nothing', async () => {
    const api = await startApi({ database: kind, env: { MODELS_DIR: '/nonexistent', OLLAMA_URL: '' } });
    try {
      const { accessToken } = await api.register();
      const session = await api.post(SESSIONS, {}, accessToken);
      const path = `${SESSIONS}/${String(session.json.id)}/messages`;
      const answer = await api.post(path, { content: 'Hello?' }, accessToken);
      expect(answer.status).toBe(503);
      expect(answer.json.detail).toContain('npm run models');
      expect((await api.get(path, accessToken)).json.data).toEqual([]);
    } finally {
      await api.close();
    }
  });
});
