import { PostgresClient, sql } from '@backing/postgres';
import { GroundedAnswers, type Citation } from '@features/chat';
import { Models } from '@features/models';
import { Collections } from '@features/vectors';
import { describeDatabases } from '../support/databases';
import { startApi, type Registered, type TestApi } from '../support/api';
import { DocumentsOf } from '../support/documents';
import { parseEvents } from '../support/events';

const KEEPER = 'The keeper of the lighthouse feeds two goats. He repairs the fog horn every autumn.';
const FERRY = 'The ferry to the lighthouse costs twelve crowns. The ferryman has a wooden leg.';

describeDatabases('documents behind answers', (kind) => {
  let api: TestApi;
  let me: Registered;
  let mine: DocumentsOf;
  let messages: string;
  let client: PostgresClient;
  beforeAll(async () => {
    api = await startApi({ database: kind });
    me = await api.register();
    mine = new DocumentsOf(api, me);
    client = api.app.get(PostgresClient);
    const { json } = await api.post('/api/v1/chat/sessions', { collections: ['default'] }, me.accessToken);
    messages = `/api/v1/chat/sessions/${String(json.id)}/messages`;
  });
  afterEach(() => jest.restoreAllMocks());
  afterAll(() => api.close());

  const upload = async (text: string, name: string): Promise<string> => (await mine.ready(await mine.upload(text, name))).id;
  const remove = async (id: string): Promise<number> => (await api.delete(`/api/v1/documents/${id}`, me.accessToken)).status;
  const ask = async (content: string) => {
    const response = await api.fetch(messages, {
      method: 'POST',
      token: me.accessToken,
      body: { content },
      headers: { accept: 'text/event-stream' },
    });
    const events = await parseEvents(response);
    expect(events.at(-1)?.event).toBe('done');
    return events.at(-1)?.data as unknown as { id: string; job_id: string; citations: Citation[] };
  };
  const citationsIn = async (answer: { id: string; job_id: string }): Promise<Citation[]> => {
    const { json: message } = await api.get(`${messages}/${answer.id}`, me.accessToken);
    const { json: job } = await api.get(`/api/v1/jobs/${answer.job_id}`, me.accessToken);
    const events = await mine.events(answer.job_id);
    const lists = [message, job.result, ...events.map(({ data }) => data)] as unknown as { citations?: Citation[] }[];
    return lists.flatMap(({ citations }) => citations ?? []);
  };

  it('that were deleted while an answer was written are cited without their words, in the message, its job and its events', async () => {
    const gone = await upload(KEEPER, 'keeper.txt');
    await upload(FERRY, 'ferry.txt');
    const answers = api.app.get(GroundedAnswers, { strict: false });
    const write = answers.write.bind(answers);
    jest.spyOn(answers, 'write').mockImplementation((request, sink) => {
      // Between the first event and the last: one that cites it is there already, the other is written after it has gone.
      const citations = async (list: Citation[], final: boolean): Promise<void> => {
        if (final) expect(await remove(gone)).toBe(204);
        await sink.citations(list, final);
      };
      return write(request, { citations, delta: (text) => sink.delta(text), reasoning: (text) => sink.reasoning(text) });
    });
    const answer = await ask('How many goats does the keeper of the lighthouse feed?');
    const about = answer.citations.filter((citation) => citation.document_id === gone);
    expect(about.length).toBeGreaterThan(0);
    for (const citation of about) {
      expect(citation).toMatchObject({ deleted: true, document: 'keeper.txt', chunk_id: expect.any(String), supports: expect.any(Array) });
    }
    const all = await citationsIn(answer);
    // The message, the result, the end, and what was given before and after the text.
    expect(all.filter(({ document_id }) => document_id === gone).length).toBeGreaterThanOrEqual(5);
    for (const citation of all) {
      const here = citation.document_id !== gone;
      expect(['quote' in citation, citation.deleted]).toEqual([here, here ? undefined : true]);
    }
    expect(JSON.stringify(all)).not.toContain('goats');
  });

  it('that are still there keep their words', async () => {
    const answer = await ask('How much does the ferry cost?');
    expect(answer.citations.length).toBeGreaterThan(0);
    for (const citation of await citationsIn(answer)) expect([citation.quote, citation.deleted]).toEqual([expect.any(String), undefined]);
  });

  // The embedded database has one connection: there is no such moment.
  if (kind === 'postgres')
    it('that are deleted at the moment in which an answer ends are forgotten by it all the same', async () => {
      const id = await upload(KEEPER, 'again.txt');
      const answer = await ask('How many goats does the keeper of the lighthouse feed?');
      const cited = JSON.stringify(answer.citations);
      expect(cited).toContain(id);
      await client.query(sql`UPDATE chat_messages SET citations = '[]' WHERE id = ${answer.id}`);
      const deletion = await client.transaction(async (connection) => {
        // As the end of an answer does: it holds the document and stores the citation.
        await connection.query(sql`SELECT id FROM documents WHERE id = ${id} FOR KEY SHARE`);
        await connection.query(sql`UPDATE chat_messages SET citations = ${cited}::jsonb WHERE id = ${answer.id}`);
        const removing = remove(id);
        await waitingForLock();
        return { removing };
      });
      expect(await deletion.removing).toBe(204);
      const { json } = await api.get(`${messages}/${answer.id}`, me.accessToken);
      const about = (json.citations as unknown as Citation[]).filter((citation) => citation.document_id === id);
      expect(about.map(({ quote, deleted }) => [quote, deleted])).toEqual(about.map(() => [undefined, true]));
      expect(about.length).toBeGreaterThan(0);
    });

  const waitingForLock = async (): Promise<void> => {
    for (;;) {
      const rows = await client.query(
        sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%documents%'`,
      );
      if (rows.length > 0) return;
    }
  };

  it('are read as a whole for questions about them, by a model with room for all of their text', async () => {
    const sections = Array.from(
      { length: 12 },
      (_, n) => `## Bell ${n}\n\nBell ${n} was cast in ${1700 + n} for the chapel of village ${n}. ${'It rings at noon. '.repeat(12)}`,
    );
    const text = `# Register of bells\n\n${sections.join('\n\n')}\n`;
    const id = await upload(text, 'bells.md');
    const models = api.app.get(Models, { strict: false });
    const card = await models.resolve('chat');
    const collections = await api.app.get(Collections, { strict: false }).resolve(me.workspaceId, ['default']);
    const account = { workspaceId: me.workspaceId, userId: me.userId, apiKeyId: null, jobId: null };
    const given = async (contextLength: number): Promise<Citation[]> => {
      const reached = new Error('The passages are there.');
      let list: Citation[] = [];
      const stop = (): Promise<void> => Promise.reject(reached);
      const citations = (passages: Citation[]): Promise<void> => {
        list = passages;
        return stop();
      };
      const stronger = { ...card, grade: undefined, contextLength };
      const question = 'Give me an overview of the register of bells.';
      const request = {
        question,
        history: [],
        system: null,
        collections,
        topK: 5,
        options: {},
        card: stronger,
        signal: new AbortController().signal,
        account,
      };
      await expect(
        api.app.get(GroundedAnswers, { strict: false }).write(request, { citations, delta: stop, reasoning: stop }),
      ).rejects.toBe(reached);
      return list;
    };
    const whole = await given(8_192);
    expect(new Set(whole.map(({ document_id }) => document_id))).toEqual(new Set([id]));
    const words = (of: string): string => of.replaceAll(/\s+/gu, '');
    expect(words(whole.map(({ quote }) => quote ?? '').join(''))).toBe(words(text));
    for (const { start, end, quote } of whole) expect(text.slice(start, end)).toBe(quote);
    const short = await given(1_024);
    expect(short).toHaveLength(1);
    expect(short[0]?.quote?.length).toBeLessThan(text.length / 2);
  });
});
