import { PostgresClient, sql } from '@backing/postgres';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import { countRows, describeDatabases } from '../support/databases';
import { parseEvents, type StreamedEvent } from '../support/events';
import { describeModels } from '../support/models';

const SESSIONS = '/api/v1/chat/sessions';

/** Answers that are streamed or waited for, under an Idempotency-Key. */
describeModels('Idempotency-Key of work', () => {
  describeDatabases('on', (kind) => {
    let api: TestApi;
    let me: Registered;
    let database: PostgresClient;
    beforeAll(async () => {
      api = await startApi({ database: kind, env: { RATE_LIMIT_PER_MINUTE: '100000' } });
      me = await api.register();
      database = api.app.get(PostgresClient);
    });
    afterAll(() => api.close());

    let number = 0;
    const newKey = (): string => `work-${(number += 1)}`;
    const headersOf = (key: string, more: Record<string, string> = {}) => ({ 'idempotency-key': key, ...more });
    const post = (path: string, body: unknown, key: string) =>
      api.request(path, { method: 'POST', token: me.accessToken, body, headers: headersOf(key) });
    const stream = async (path: string, body: unknown, key: string): Promise<{ replayed: string | null; events: StreamedEvent[] }> => {
      const headers = headersOf(key, { accept: 'text/event-stream' });
      const response = await api.fetch(path, { method: 'POST', token: me.accessToken, body, headers });
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      return { replayed: response.headers.get('idempotent-replayed'), events: await parseEvents(response) };
    };
    const replayed = ({ headers }: ApiAnswer): string | null => headers.get('idempotent-replayed');
    const newSession = async (): Promise<string> =>
      `${SESSIONS}/${String((await api.post(SESSIONS, {}, me.accessToken)).json.id)}/messages`;
    const question = { content: 'What is a harbour?', options: { max_tokens: 12, temperature: 0 } };
    const jobs = () => countRows(database, 'jobs');

    it('streams the same job from its first event again, while it runs and after it', async () => {
      const path = await newSession();
      const key = newKey();
      const before = await jobs();
      const [one, two] = [stream(path, question, key), stream(path, question, key)];
      const settled = await Promise.allSettled([one, two]);
      const fulfilled = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      expect(fulfilled.length).toBeGreaterThan(0);
      const events = fulfilled[0]?.events ?? [];
      expect([events[0]?.event, events.at(-1)?.event]).toEqual(['accepted', 'done']);
      const again = await stream(path, question, key);
      expect(again).toEqual({ replayed: 'true', events });
      expect(fulfilled.every((each) => JSON.stringify(each.events) === JSON.stringify(events))).toBe(true);
      expect(await jobs()).toBe(before + 1);
      // Asked for without a stream, the same request says what was accepted.
      const told = await post(path, question, key);
      expect([told.status, replayed(told), (told.json.job as unknown as { id: string }).id]).toEqual([202, 'true', events[0]?.data.job_id]);
      expect((await post(path, question, key)).text).toBe(told.text);
      expect((await api.get(path, me.accessToken)).json.data).toHaveLength(2);
    });

    it('waits for the same answer again, and keeps the first that was given', async () => {
      const path = `${await newSession()}?wait=50`;
      const key = newKey();
      const before = await jobs();
      const first = await post(path, question, key);
      expect([first.status, replayed(first)]).toEqual([200, null]);
      const { answer } = first.json as unknown as { answer: { id: string; content: string } };
      const again = await post(path, question, key);
      expect([again.status, again.text, again.headers.get('location'), replayed(again)]).toEqual([
        200,
        first.text,
        first.headers.get('location'),
        'true',
      ]);
      await api.post(`${path.replace(/\?.*/, '')}/${answer.id}/feedback`, { rating: 'up' }, me.accessToken);
      expect((await post(path, question, key)).text).toBe(first.text);
      expect(await jobs()).toBe(before + 1);
    });

    it('keeps no answer that only says that there is none yet', async () => {
      const path = `${await newSession()}?wait=1`;
      const key = newKey();
      const before = await jobs();
      const long = { content: 'Tell a long story.', options: { max_tokens: 160, temperature: 0 } };
      const statuses: number[] = [];
      let last = await post(path, long, key);
      for (; statuses.push(last.status) < 60 && last.status === 202; ) last = await post(path, long, key);
      expect(statuses[0]).toBe(202);
      expect([last.status, replayed(last)]).toEqual([200, 'true']);
      expect((await post(path, long, key)).text).toBe(last.text);
      expect(await jobs()).toBe(before + 1);
    });

    it('gives an accepted answer its own bytes again, and its stream to whoever asks for it', async () => {
      const path = await newSession();
      const key = newKey();
      const first = await post(path, question, key);
      expect([first.status, replayed(first)]).toEqual([202, null]);
      const { id } = first.json.job as unknown as { id: string };
      const { replayed: told, events } = await stream(path, question, key);
      expect([told, events[0]?.data.job_id, events.at(-1)?.event]).toEqual(['true', id, 'done']);
      const again = await post(path, question, key);
      expect([again.status, again.text, replayed(again)]).toEqual([202, first.text, 'true']);
    });

    it('regenerates once, retries once, runs an agent once', async () => {
      const path = await newSession();
      const asked = await api.post(`${path}?wait=50`, question, me.accessToken);
      const { message } = asked.json as unknown as { message: { id: string } };
      const again = `${path}/${message.id}/regenerate?wait=50`;
      const agent = await api.post('/api/v1/agents', { name: 'once', instructions: 'Be brief.' }, me.accessToken);
      const { id: agentId } = agent.json as unknown as { id: string };
      const lost = await post(path, question, newKey());
      const { id: jobId } = lost.json.job as unknown as { id: string };
      await api.post(`/api/v1/jobs/${jobId}/cancel`, {}, me.accessToken);
      const requests: [string, object | undefined][] = [
        [`/api/v1/jobs/${jobId}/retry`, undefined],
        [`/api/v1/agents/${agentId}/runs`, { input: 'Say hello.' }],
      ];
      for (const [route, body] of requests) {
        const key = newKey();
        const before = await jobs();
        const first = await post(route, body, key);
        expect([route, first.status, replayed(first)]).toEqual([route, 202, null]);
        const repeat = await post(route, body, key);
        expect([repeat.status, repeat.text, replayed(repeat)]).toEqual([202, first.text, 'true']);
        expect(await jobs()).toBe(before + 1);
        await parseEvents(await api.fetch(`${String(first.headers.get('location'))}/events`, { token: me.accessToken }));
      }
      const key = newKey();
      const before = await jobs();
      const first = await post(again, undefined, key);
      expect(first.status).toBe(200);
      expect((await post(again, undefined, key)).text).toBe(first.text);
      expect(await jobs()).toBe(before + 1);
    });

    it('refuses a repeat of a question whose conversation is gone', async () => {
      const path = await newSession();
      const key = newKey();
      await stream(path, question, key);
      await api.delete(path.replace('/messages', ''), me.accessToken);
      const gone = await post(path, question, key);
      expect([gone.status, gone.json.code, replayed(gone)]).toEqual([404, 'not_found', null]);
    });

    it('replaces a document once, under the external id that it has', async () => {
      const path = '/api/v1/documents';
      const first = await post(path, { name: 'v.txt', text: 'The first version.', external_id: 'v' }, newKey());
      await parseEvents(await api.fetch(`${String(first.headers.get('location'))}/events`, { token: me.accessToken }));
      const key = newKey();
      const second = { name: 'v.txt', text: 'The second version.', external_id: 'v' };
      const before = await jobs();
      const replaced = await post(path, second, key);
      expect([replaced.status, replayed(replaced)]).toEqual([202, null]);
      const again = await post(path, second, key);
      expect([again.status, again.text, replayed(again)]).toEqual([202, replaced.text, 'true']);
      // The one that comes meanwhile ends the job before it, once it is itself committed.
      const third = await post(path, { ...second, text: 'The third version.' }, newKey());
      await parseEvents(await api.fetch(`${String(third.headers.get('location'))}/events`, { token: me.accessToken }));
      const ended = await database.query<{ status: string }>(sql`SELECT status FROM jobs WHERE kind = 'documents.ingest' ORDER BY id`);
      expect(ended.map(({ status }) => status).filter((status) => !['succeeded', 'cancelled'].includes(status))).toEqual([]);
      expect(await jobs()).toBe(before + 2);
      const { id } = replaced.json.document as unknown as { id: string };
      const text = await api.get(`${path}/${id}/text`, me.accessToken);
      expect(text.json.text).toBe('The third version.');
    });
  });
});
