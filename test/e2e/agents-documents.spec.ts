import { PostgresClient, sql } from '@backing/postgres';
import { v7 } from 'uuid';
import { AgentBench } from '../support/agents';
import { startApi, type TestApi } from '../support/api';
import { describeModels } from '../support/models';
import { PlannedRuntime } from '../support/planned.runtime';

const TEXT = [
  '# Night ferry',
  'The night ferry to Halvorsund leaves at 22:40 from pier 7. A cabin for two costs 86 euros.',
  'Dogs travel free of charge when they stay on the car deck. Bicycles cost 9 euros each.',
].join('\n\n');

describeModels('agents over documents', () => {
  let api: TestApi;
  let bench: AgentBench;
  let model: PlannedRuntime;
  let documentId: string;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open' } });
    model = new PlannedRuntime('planned-native', true).serve(api.app);
    const { accessToken, workspaceId, userId } = await api.register();
    bench = new AgentBench(api, accessToken);
    const form = new FormData();
    form.append('file', new Blob([TEXT]), 'ferry.md');
    const { json } = await api.post('/api/v1/documents', form, accessToken);
    const { document, job } = json as unknown as { document: { id: string }; job: { id: string } };
    documentId = document.id;
    expect((await bench.events(job.id)).at(-1)?.event).toBe('done');
    await api.app
      .get(PostgresClient, { strict: false })
      .query(
        sql`INSERT INTO collections (id, workspace_id, owner_id, name) VALUES (${v7()}::uuid, ${workspaceId}::uuid, ${userId}::uuid, 'empty')`,
      );
  }, 60_000);
  afterAll(() => api.close());

  /** The outcome of one call of a tool by an agent with these collections. */
  async function outcome(call: string, given: object, collections: string[], who = bench) {
    model.plan = ({ turns }) => (turns.at(-1)?.role === 'tool' ? [{ say: 'Done.' }] : [{ call, given }]);
    const agent = await who.make({ model: 'planned-native', tools: ['search_collection', 'read_document'], collections });
    const { run } = await who.run(agent.id);
    return run.steps[1];
  }

  it('search the collections that they were given', async () => {
    const step = await outcome('search_collection', { query: 'When does the night ferry leave?', limit: 2 }, ['default', 'empty']);
    const { passages } = (step?.result ?? { passages: [] }) as {
      passages: { document: string; found: boolean; text: string; start: number; end: number }[];
    };
    expect(passages[0]).toMatchObject({ document_id: documentId, document: 'ferry.md', found: true });
    expect(TEXT.slice(passages[0]?.start, passages[0]?.end)).toBe(passages[0]?.text);
    expect((await outcome('search_collection', { query: 'ferry' }, ['empty']))?.result).toEqual({ passages: [] });
    expect((await outcome('search_collection', { query: 'ferry', collection: 'default' }, ['empty']))?.error?.code).toBe('not_found');
  });

  it('read a slice of a document', async () => {
    const step = await outcome('read_document', { document_id: documentId, start: 2, end: 13 }, ['default']);
    expect(step?.result).toEqual({
      document_id: documentId,
      document: 'ferry.md',
      start: 2,
      end: 13,
      length: TEXT.length,
      text: 'Night ferry',
    });
    expect((await outcome('read_document', { document_id: documentId, page: 3 }, ['default']))?.error).toMatchObject({ code: 'not_found' });
  });

  it('read no document outside of their collections or of their workspace', async () => {
    expect((await outcome('read_document', { document_id: documentId }, ['empty']))?.error).toEqual({
      code: 'not_found',
      message: 'The document was not found.',
    });
    const { accessToken } = await api.register('other@example.org');
    const other = new AgentBench(api, accessToken);
    expect((await outcome('read_document', { document_id: documentId }, ['default'], other))?.error?.code).toBe('not_found');
  });

  it('answer with citations: the ready-made one, with the starter model', async () => {
    const { data } = (await api.get('/api/v1/agents', bench.token)).json as unknown as { data: { id: string; name: string }[] };
    const ready = data.find(({ name }) => name === 'research');
    const { run, events } = await bench.run(ready?.id ?? '', { input: 'From which pier does the night ferry leave?' });
    expect(run.steps.map(({ kind, tool }) => tool ?? kind)).toEqual(['search_collection', 'read_document', 'model']);
    expect(run.output).toContain('7');
    expect(run.citations).toMatchObject([{ document: 'ferry.md', supports: [expect.anything()] }]);
    const kinds = events.map(({ event }) => event).filter((event) => !['progress', 'delta', 'queued'].includes(event));
    expect(kinds).toEqual([
      'accepted',
      'started',
      'tool_call',
      'tool_result',
      'tool_call',
      'tool_result',
      'citations',
      'citations',
      'done',
    ]);
    expect(events.flatMap(({ event, data: { text } }) => (event === 'delta' ? [text] : [])).join('')).toBe(run.output);
    expect(events.find(({ event }) => event === 'tool_call')?.data).toMatchObject({
      tool: 'search_collection',
      arguments: { query: run.steps[0]?.arguments?.query },
    });
  }, 60_000);

  it('search again with the bare words when the question finds nothing, and say that there is nothing', async () => {
    const { data } = (await api.get('/api/v1/agents', bench.token)).json as unknown as { data: { id: string; name: string }[] };
    const ready = data.find(({ name }) => name === 'research');
    const { run } = await bench.run(ready?.id ?? '', { input: 'Who was the emperor of Japan in 1850?' });
    expect(run.steps.map(({ kind, tool }) => tool ?? kind)).toEqual(['search_collection', 'search_collection', 'model']);
    expect(run.citations).toEqual([]);
    expect(run.output).toMatch(/could not find/u);
  }, 60_000);

  it('keep within their steps in research too', async () => {
    const agent = await bench.make({
      strategy: 'research',
      tools: ['search_collection', 'read_document'],
      collections: ['default'],
      limits: { steps: 1 },
    });
    const { run } = await bench.run(agent.id, { input: 'From which pier does the night ferry leave?' });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'budget_exhausted' }, steps: [{ tool: 'search_collection' }] });
  });

  it('keep the ids and lose the words of a document that is deleted', async () => {
    const form = new FormData();
    form.append('file', new Blob(['The lighthouse of Quarrel Point was built by Odile Varnhagen in 1871.']), 'lighthouse.txt');
    const { json } = await api.post('/api/v1/documents', form, bench.token);
    const { document, job } = json as unknown as { document: { id: string }; job: { id: string } };
    await bench.events(job.id);
    const agent = await bench.make({ strategy: 'research', tools: ['search_collection', 'read_document'], collections: ['default'] });
    const { run } = await bench.run(agent.id, { input: 'Who built the lighthouse of Quarrel Point?' });
    expect(JSON.stringify(run.steps)).toContain('Odile Varnhagen in 1871');
    expect((await api.delete(`/api/v1/documents/${document.id}`, bench.token)).status).toBe(204);
    const after = await bench.read(run.id);
    const told = JSON.stringify([
      after.steps.filter(({ kind }) => kind === 'tool'),
      after.citations,
      (await bench.events(run.job_id)).filter(({ event }) => event !== 'delta' && event !== 'done'),
    ]);
    expect(told).not.toContain('Varnhagen');
    expect(after.citations).toMatchObject([{ document_id: document.id, deleted: true }]);
    expect(after.steps[0]?.result).toMatchObject({
      passages: expect.arrayContaining([expect.objectContaining({ document_id: document.id, deleted: true })]),
    });
    expect(after.steps[1]?.result).toMatchObject({ document_id: document.id, deleted: true });
  }, 60_000);
});
