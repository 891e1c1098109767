import { PostgresClient, sql } from '@backing/postgres';
import { RunHandler, ToolBox, type AgentRunPayload } from '@features/agents';
import { JobSweep, type JobContext } from '@features/jobs';
import type { ChatRequest } from '@kernel/models';
import { AgentBench } from '../support/agents';
import { startApi, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { describeModels } from '../support/models';
import { PlannedRuntime, type Said } from '../support/planned.runtime';

/** What is planned after so many results: twelve steps, m t t m t m t m t m t m. */
const TWELVE: Record<number, Said[]> = {
  0: [
    { call: 'calculate', given: { expression: '1 + 1' }, id: 'a' },
    { call: 'current_time', given: {}, id: 'b' },
  ],
  2: [{ call: 'calculate', given: { expression: '2 + 1' } }],
  3: [{ call: 'calculate', given: { expression: '3 + 1' } }],
  4: [{ call: 'current_time', given: { time_zone: 'Europe/Zurich' } }],
  5: [{ call: 'calculate', given: { expression: '5 + 1' } }],
  6: [{ say: 'Twelve ' }, { say: 'steps.' }],
};
const results = ({ turns }: ChatRequest): number => turns.filter(({ role }) => role === 'tool').length;

describeDatabases('a run whose worker dies', (kind) => {
  let api: TestApi;
  let bench: AgentBench;
  let model: PlannedRuntime;
  let used: string[];

  beforeEach(async () => {
    api = await startApi({ database: kind });
    model = new PlannedRuntime('planned-native', true).serve(api.app);
    model.plan = (request) => TWELVE[results(request)] ?? [];
    bench = new AgentBench(api, (await api.register()).accessToken);
    used = [];
    for (const name of ['calculate', 'current_time']) {
      const tool = api.app.get(ToolBox, { strict: false }).get(name)?.tool;
      if (tool === undefined) throw new Error(`There is no tool ${name}.`);
      const run = tool.run.bind(tool);
      tool.run = (given, reach) => {
        used.push(`${name} ${JSON.stringify(given)}`);
        return run(given, reach);
      };
    }
  });
  afterEach(() => api.close());

  /** Lets the worker die in the moment after a commit of a step: its lease ends and nothing that it does afterwards counts. */
  function die(when: (step: number) => boolean): void {
    const handler = api.app.get(RunHandler, { strict: false });
    const client = api.app.get(PostgresClient, { strict: false });
    const sweep = api.app.get(JobSweep, { strict: false });
    const work = handler.run.bind(handler);
    handler.run = (context) => work(mortal(context));
    const mortal = (context: JobContext<AgentRunPayload>): JobContext<AgentRunPayload> =>
      new Proxy(context, {
        get: (target, member) => {
          const value: unknown = Reflect.get(target, member);
          if (typeof value !== 'function') return value;
          if (member !== 'transaction') return value.bind(target);
          return async (body: never, checkpoint?: { step: number }) => {
            const answer = await target.transaction(body, checkpoint);
            if (checkpoint !== undefined && when(checkpoint.step)) {
              await client.query(sql`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ${target.jobId}::uuid`);
              await sweep.sweep();
            }
            return answer;
          };
        },
      });
  }

  it('at every boundary of twelve steps goes on after the last finished one and repeats none', async () => {
    const died = new Set<number>();
    die((step) => !died.has(step) && died.add(step).size > 0);
    const agent = await bench.make({ model: 'planned-native', tools: ['calculate', 'current_time'] });
    const { run, events } = await bench.run(agent.id);
    expect(run).toMatchObject({ status: 'succeeded', output: 'Twelve steps.' });
    expect([...died]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(events.filter(({ event }) => event === 'reset')).toHaveLength(12);
    expect(run.steps.map(({ kind }) => kind.charAt(0)).join(' ')).toBe('m t t m t m t m t m t m');
    expect(model.requests.map(results)).toEqual([0, 2, 3, 4, 5, 6]);
    expect(used).toEqual([
      'calculate {"expression":"1 + 1"}',
      'current_time {}',
      'calculate {"expression":"2 + 1"}',
      'calculate {"expression":"3 + 1"}',
      'current_time {"time_zone":"Europe/Zurich"}',
      'calculate {"expression":"5 + 1"}',
    ]);
    expect(events.filter(({ event }) => event === 'tool_result').map(({ data }) => data.step)).toEqual([2, 3, 5, 7, 9, 11]);
    const after = events.slice(events.findLastIndex(({ event }) => event === 'reset'));
    expect(after.flatMap(({ event, data }) => (event === 'delta' ? [data.text] : [])).join('')).toBe('Twelve steps.');
  }, 60_000);

  it('inside a step does that step again, and no other', async () => {
    const sweep = api.app.get(JobSweep, { strict: false });
    const client = api.app.get(PostgresClient, { strict: false });
    const tool = api.app.get(ToolBox, { strict: false }).get('current_time')?.tool;
    if (tool === undefined) throw new Error('There is no clock.');
    const run = tool.run.bind(tool);
    let deaths = 0;
    tool.run = async (given, reach) => {
      const answer = await run(given, reach);
      if (deaths++ === 0) {
        await client.query(sql`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ${reach.account.jobId}::uuid`);
        await sweep.sweep();
      }
      return answer;
    };
    const agent = await bench.make({ model: 'planned-native', tools: ['calculate', 'current_time'] });
    const { run: ended } = await bench.run(agent.id);
    expect(ended).toMatchObject({ status: 'succeeded', output: 'Twelve steps.' });
    expect(used.slice(0, 4)).toEqual([
      'calculate {"expression":"1 + 1"}',
      'current_time {}',
      'current_time {}',
      'calculate {"expression":"2 + 1"}',
    ]);
    expect(model.requests.map(results)).toEqual([0, 2, 3, 4, 5, 6]);
  }, 60_000);

  describeModels('with the built-in models', () => {
    it('in research does no search again, and tells the answer and its citations again', async () => {
      const { token } = bench;
      const form = new FormData();
      form.append('file', new Blob(['The night ferry to Halvorsund leaves at 22:40 from pier 7.']), 'ferry.txt');
      const uploaded = (await api.post('/api/v1/documents', form, token)).json as unknown as { job: { id: string } };
      await bench.events(uploaded.job.id);
      const died = new Set<number>();
      die((step) => !died.has(step) && died.add(step).size > 0);
      const { data } = (await api.get('/api/v1/agents', token)).json as unknown as { data: { id: string; name: string }[] };
      const { run, events } = await bench.run(data.find(({ name }) => name === 'research')?.id ?? '', {
        input: 'When does the night ferry leave?',
      });
      expect([...died]).toEqual([1, 2, 3]);
      expect(run.steps.map(({ kind, tool }) => tool ?? kind)).toEqual(['search_collection', 'read_document', 'model']);
      expect(run.output).toContain('22:40');
      expect(run.citations).toMatchObject([{ document: 'ferry.txt' }]);
      const after = events.slice(events.findLastIndex(({ event }) => event === 'reset'));
      expect(after.map(({ event }) => event).filter((event) => event !== 'progress')).toEqual([
        'reset',
        'started',
        'citations',
        'delta',
        'citations',
        'done',
      ]);
      expect(after.flatMap(({ event, data: { text } }) => (event === 'delta' ? [text] : [])).join('')).toBe(run.output);
      const client = api.app.get(PostgresClient, { strict: false });
      const [asked] = await client.query<{ chats: number }>(
        sql`SELECT count(*)::int AS chats FROM usage WHERE job_id = ${run.job_id}::uuid AND operation = 'chat'`,
      );
      expect(asked?.chats).toBe(1);
    }, 120_000);
  });
});
