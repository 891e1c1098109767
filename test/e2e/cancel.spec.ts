import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PostgresClient, sql } from '@backing/postgres';
import { JobSignals } from '@features/jobs';
import { AgentBench } from '../support/agents';
import { startApi, type Registered, type TestApi } from '../support/api';
import { ChatBench } from '../support/chat';
import { describeDatabases } from '../support/databases';
import { DocumentsOf, type Remains } from '../support/documents';
import { gate } from '../support/jobs';
import { RECORDED_CHAT, RECORDED_EMBEDDING, startRecording, type RecordedRequest, type RecordingOllama } from '../support/recording-ollama';
import { until } from '../support/until';

/** Ten chunks and more: several batches. */
const LONG = Array.from(
  { length: 24 },
  (_, n) => `## Part ${n}\n\n${`The keeper of light ${n} wrote down wind and waves. `.repeat(14)}`,
).join('\n\n');

/** The models are a recording upstream: it tells when a request reached it and when its connection was closed. No state ends by itself. */
describeDatabases('Cancelling', (kind) => {
  let upstream: RecordingOllama;
  let api: TestApi;
  let me: Registered;
  let documents: DocumentsOf;
  let ferry: Remains;

  beforeAll(async () => {
    upstream = await startRecording();
    const models = { OLLAMA_URL: upstream.url, CHAT_MODEL: RECORDED_CHAT, EMBEDDING_MODEL: RECORDED_EMBEDDING, MODEL_ALLOW: 'tiny:*' };
    api = await startApi({ database: kind, env: { ...models, EGRESS_ALLOW: '127.0.0.1', RATE_LIMIT_PER_MINUTE: '100000' } });
    me = await api.register();
    documents = new DocumentsOf(api, me);
    upstream.plan = { embed: (request) => request.embed() };
    await documents.ready(await documents.upload('The night ferry leaves at 22:40 from pier 7.', 'ferry.md'));
    ferry = await documents.remains();
    upstream.reset();
  }, 60_000);
  afterEach(() => upstream.reset());
  afterAll(async () => {
    await api.close();
    await upstream.close();
  });

  const client = (): PostgresClient => api.app.get(PostgresClient, { strict: false });
  const atRest = (): Promise<void> => until(() => api.app.get(JobSignals, { strict: false }).running().length === 0, 30_000);
  const begin = (more: object = {}): Promise<ChatBench> => ChatBench.begin(api, me.accessToken, { model: RECORDED_CHAT, ...more });

  /** Everything that a job may change, in one line; but for the log of its use. */
  async function rows(jobId: string): Promise<string> {
    const [row] = await client().query<{ hash: string }>(
      sql`SELECT md5(concat_ws('|',
            (SELECT string_agg(jobs::text, ',' ORDER BY id) FROM jobs),
            (SELECT string_agg(e::text, ',' ORDER BY seq) FROM job_events e WHERE job_id = ${jobId}::uuid),
            (SELECT string_agg(m::text, ',' ORDER BY id) FROM chat_messages m),
            (SELECT string_agg(d::text, ',' ORDER BY id) FROM documents d),
            (SELECT string_agg(r::text, ',' ORDER BY id) FROM agent_runs r),
            (SELECT string_agg(s::text, ',' ORDER BY run_id, step) FROM agent_steps s))) AS hash`,
    );
    return row?.hash ?? '';
  }

  async function events(jobId: string): Promise<string[]> {
    const found = await client().query<{ event: string }>(sql`SELECT event FROM job_events WHERE job_id = ${jobId}::uuid ORDER BY seq`);
    return found.map(({ event }) => event);
  }

  /** Cancels the job; its requests must end by that, and nothing may be written from then on. */
  async function cancel(jobId: string, ...requests: RecordedRequest[]): Promise<void> {
    const { status, json } = await api.post(`/api/v1/jobs/${jobId}/cancel`, undefined, me.accessToken);
    expect([status, json.status]).toEqual([200, 'cancelled']);
    const before = await rows(jobId);
    await Promise.all(requests.map(({ closed }) => closed));
    for (const { finished } of requests) expect(finished).toBe(false);
    await atRest();
    expect(await rows(jobId)).toBe(before);
    expect((await events(jobId)).filter((event) => event === 'cancelled')).toHaveLength(1);
    expect((await events(jobId)).at(-1)).toBe('cancelled');
    expect(upstream.requests.filter(({ open }) => open)).toEqual([]);
  }

  async function ask(chat: ChatBench, more: object = {}): Promise<{ jobId: string; answerId: string }> {
    const { status, json, text } = await api.post(
      `${chat.path}/messages`,
      { content: 'When does the ferry leave?', ...more },
      me.accessToken,
    );
    if (status !== 202) throw new Error(`A question was answered with ${status}: ${text}`);
    const { job, answer } = json as unknown as { job: { id: string }; answer: { id: string } };
    return { jobId: job.id, answerId: answer.id };
  }

  describe('an answer', () => {
    it('that is queued: no model hears of it', async () => {
      const busy = await Promise.all([begin(), begin()]);
      const running = await Promise.all(busy.map((chat) => ask(chat)));
      const held = [await upstream.next('chat'), await upstream.next('chat')];
      const queued = await ask(await begin());
      await api.post(`/api/v1/jobs/${queued.jobId}/cancel`, undefined, me.accessToken);
      expect(await events(queued.jobId)).toEqual(['accepted', 'cancelled']);
      for (const { jobId } of running) await api.post(`/api/v1/jobs/${jobId}/cancel`, undefined, me.accessToken);
      await Promise.all(held.map(({ closed }) => closed));
      await atRest();
      expect(await events(queued.jobId)).toEqual(['accepted', 'cancelled']);
      expect(upstream.requests).toHaveLength(2);
    });

    it('before the first token, while the model loads or reads the prompt', async () => {
      const { jobId } = await ask(await begin());
      const request = await upstream.next('chat');
      await cancel(jobId, request);
      expect(request.tokens).toBe(0);
    });

    it('while tokens come: what was sent stays as the answer', async () => {
      const chat = await begin();
      const { jobId, answerId } = await ask(chat);
      const request = await upstream.next('chat');
      request.token('Some ');
      request.token('words ');
      await until(async () => (await events(jobId)).includes('delta'));
      await cancel(jobId, request);
      const { json } = await api.get(chat.message(answerId), me.accessToken);
      expect(json).toMatchObject({ status: 'cancelled', content: expect.stringMatching(/^Some /u) });
    });

    it('that somebody waits for: he is answered as well', async () => {
      const chat = await begin();
      const waiting = api.post(`${chat.path}/messages?wait=50`, { content: 'Hello?' }, me.accessToken);
      const request = await upstream.next('chat');
      request.token();
      const [job] = await client().query<{ id: string }>(sql`SELECT id FROM jobs WHERE status = 'running'`);
      await cancel(job?.id ?? '', request);
      const { status, json } = await waiting;
      expect([status, json]).toEqual([200, expect.objectContaining({ answer: expect.objectContaining({ status: 'cancelled' }) })]);
    });

    it('while its question is embedded', async () => {
      const { jobId } = await ask(await begin({ collections: ['default'] }));
      await cancel(jobId, await upstream.next('embed'));
      expect(upstream.requests.map(({ path }) => path)).toEqual(['embed']);
    });
  });

  describe("an agent's run", () => {
    it('inside a tool', async () => {
      const agents = new AgentBench(api, me.accessToken);
      const agent = await agents.make({ model: RECORDED_CHAT, tools: ['search_collection'], collections: ['default'] });
      upstream.plan = { chat: (request) => request.end({ name: 'search_collection', arguments: { query: 'ferry' } }) };
      const { job, run } = await agents.start(agent.id);
      await cancel(job.id, await upstream.next('embed'));
      expect(await events(job.id)).toEqual(expect.arrayContaining(['tool_call', 'cancelled']));
      expect(await agents.read(run.id)).toMatchObject({ status: 'cancelled', usage: { model_calls: 1, tool_calls: 0 } });
      expect(upstream.requests.map(({ path }) => path)).toEqual(['chat', 'embed']);
    });
  });

  describe('the reading of a document', () => {
    /** Only the ferry is to be found; originals are kept for another try, half of one is not. */
    const cleared = async (): Promise<void> => {
      const [row] = await client().query<{ originals: number }>(
        sql`SELECT count(*)::int AS originals FROM documents WHERE sha256 IS NOT NULL`,
      );
      const blobs = ['documents/', 'texts/'].flatMap((place) =>
        Array.from({ length: place === 'texts/' ? 1 : (row?.originals ?? 0) }, () => place),
      );
      const remains = await documents.settled(({ points, vectors }) => points === ferry.points && vectors === ferry.vectors);
      expect(remains).toMatchObject({ points: ferry.points, vectors: ferry.vectors });
      expect(remains.blobs.map((key) => key.slice(0, key.indexOf('/') + 1)).sort()).toEqual(blobs);
    };

    it('within a batch', async () => {
      const { id, jobId } = documents.accepted(await documents.upload(`${LONG} within`, 'within.md'));
      await cancel(jobId, await upstream.next('embed'));
      expect(await documents.get(id)).toMatchObject({ status: 'failed', error: { code: 'cancelled' } });
      expect(upstream.requests).toHaveLength(1);
      await cleared();
    });

    it('between two batches', async () => {
      const second = gate<RecordedRequest>();
      let batches = 0;
      upstream.plan = { embed: (request) => (++batches === 1 ? request.embed() : second.open(request)) };
      const { id, jobId } = documents.accepted(await documents.upload(`${LONG} between`, 'between.md'));
      await cancel(jobId, await second.opened);
      expect(batches).toBe(2);
      expect(await documents.get(id)).toMatchObject({ status: 'failed', chunks: 0, error: { code: 'cancelled' } });
      await cleared();
    });

    it('while it is fetched: the connection is closed, and no part of it is kept', async () => {
      const asked = gate();
      const left = gate();
      const site = await listening(
        createServer((_, response) => {
          response.once('close', () => left.open());
          response.writeHead(200, { 'content-type': 'text/plain' }).write('The beginning of an endless page. '.repeat(100));
          asked.open();
        }),
      );
      const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/page`;
      const { jobId } = documents.accepted(await documents.add({ url }));
      await asked.opened;
      await cancel(jobId);
      await left.opened;
      await cleared();
      expect(readdirSync(join(api.directory.path, 'blobs', '.incoming'))).toEqual([]);
      site.closeAllConnections();
      site.close();
    });
  });

  it('the pull of a model', async () => {
    const { json } = await api.post('/api/v1/models', { name: 'tiny:1b' }, me.accessToken);
    const { job } = json as unknown as { job: { id: string } };
    const request = await upstream.next('pull');
    request.line({ status: 'pulling', digest: `sha256:${'a'.repeat(64)}`, total: 900, completed: 300 });
    await until(async () => (await events(job.id)).includes('progress'));
    await cancel(job.id, request);
  });
});

function listening(server: Server): Promise<Server> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
