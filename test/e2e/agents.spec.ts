import { PostgresClient, sql } from '@backing/postgres';
import { ToolBox } from '@features/agents';
import { JobTiming } from '@features/jobs';
import { AppError } from '@kernel/errors';
import { AgentBench } from '../support/agents';
import { startApi, type TestApi } from '../support/api';
import { gate, untilAborted } from '../support/jobs';
import { PlannedRuntime, type Plan } from '../support/planned.runtime';

const names = (events: { event: string }[]): string[] =>
  events.map(({ event }) => event).filter((event) => event !== 'progress' && event !== 'queued');
const textOf = (events: { event: string; data: Record<string, unknown> }[]): string =>
  events.flatMap(({ event, data }) => (event === 'delta' ? [String(data.text)] : [])).join('');

describe('agents', () => {
  let api: TestApi;
  let token: string;
  let bench: AgentBench;
  let native: PlannedRuntime;
  let plain: PlannedRuntime;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open' } });
    native = new PlannedRuntime('planned-native', true).serve(api.app);
    plain = new PlannedRuntime('planned-json', false).serve(api.app);
    token = (await api.register()).accessToken;
    bench = new AgentBench(api, token);
  });
  afterAll(() => api.close());
  beforeEach(() => {
    native.requests.length = 0;
    plain.requests.length = 0;
  });

  /** Plans of the calls of the model, in order; the last one repeats. */
  function plans(...all: Plan[]): void {
    native.plan = plain.plan = (request, place) => (all[place - 1] ?? all.at(-1) ?? (() => []))(request, place);
  }

  describe('as things', () => {
    it('are made, read, listed, changed under their version, and deleted', async () => {
      const body = {
        name: 'Clerk',
        instructions: 'Be exact.',
        model: 'planned-native',
        tools: ['calculate'],
        collections: ['default'],
        limits: { steps: 3 },
      };
      const made = await api.post('/api/v1/agents', body, token);
      expect(made.status).toBe(201);
      const { id } = made.json as unknown as { id: string };
      expect(made.headers.get('location')).toBe(`/api/v1/agents/${id}`);
      expect(made.json).toMatchObject({
        ...body,
        strategy: 'tools',
        approval: [],
        output_schema: null,
        limits: { steps: 3, tool_calls: 24, tokens: 50_000, seconds: 600 },
      });
      const path = `/api/v1/agents/${id}`;
      const read = await api.get(path, token);
      expect(read.json).toEqual(made.json);
      const tag = read.headers.get('etag') ?? '';
      const change = (headers: Record<string, string>) =>
        api.request(path, { method: 'PATCH', token, headers, body: { limits: { tokens: 900 }, instructions: '' } });
      const changed = await change({ 'if-match': tag });
      expect(changed.json).toMatchObject({ name: 'Clerk', instructions: '', limits: { steps: 3, tokens: 900 } });
      expect((await change({ 'if-match': tag })).status).toBe(412);
      expect((await api.get('/api/v1/agents?limit=1', token)).json).toMatchObject({ data: [{ id }], has_more: true });
      expect((await api.request(path, { method: 'DELETE', token, headers: { 'if-match': tag } })).status).toBe(412);
      expect((await api.delete(path, token)).status).toBe(204);
      expect((await api.get(path, token)).status).toBe(404);
    });

    it.each([
      [{ name: ' ' }, 400, 'name'],
      [{ colour: 'red' }, 400, 'colour'],
      [{ tools: ['calculate', 'shell'] }, 400, 'tools[1]'],
      [{ tools: ['calculate', 'calculate'] }, 400, 'tools'],
      [{ approval: ['calculate'] }, 400, 'approval'],
      [{ model: 'nobody' }, 400, 'model'],
      [{ model: 'all-minilm-l6-v2' }, 400, 'model'],
      [{ limits: { steps: 0 } }, 400, 'limits.steps'],
      [{ limits: { seconds: 1e9 } }, 400, 'limits.seconds'],
      [{ limits: { money: 1 } }, 400, 'limits.money'],
      [{ output_schema: { type: 'object', properties: { a: { pattern: '(a+)+$' } } } }, 400, 'output_schema.properties.a.pattern'],
      [{ output_schema: { type: 'thing' } }, 400, 'output_schema.type'],
      [{ strategy: 'research', tools: ['search_collection'] }, 400, 'collections'],
    ])('%j is refused', async (body, status, path) => {
      const answer = await api.post('/api/v1/agents', { name: 'x', ...body }, token);
      expect({ status: answer.status, path: (answer.json.errors as { path: string }[] | undefined)?.[0]?.path }).toEqual({ status, path });
    });

    it('need collections that exist and names that are free', async () => {
      expect((await api.post('/api/v1/agents', { name: 'x', collections: ['nowhere'] }, token)).status).toBe(404);
      const { name } = await bench.make({});
      expect((await api.post('/api/v1/agents', { name }, token)).json).toMatchObject({ status: 409, code: 'conflict' });
    });

    it('are ready-made once in each workspace, also after that one was deleted', async () => {
      const other = await api.register('other@example.org');
      const list = () => api.get('/api/v1/agents', other.accessToken);
      const { data } = (await list()).json as unknown as { data: { id: string; name: string; strategy: string; collections: string[] }[] };
      expect(data).toMatchObject([{ name: 'research', strategy: 'research', collections: ['default'] }]);
      expect((await api.get(`/api/v1/agents/${data[0]?.id}`, token)).status).toBe(404);
      await api.delete(`/api/v1/agents/${data[0]?.id}`, other.accessToken);
      await api.restart();
      native.serve(api.app);
      plain.serve(api.app);
      expect((await list()).json.data).toEqual([]);
    });

    it('can be granted these tools', async () => {
      const { data } = (await api.get('/api/v1/agents/tools', token)).json as unknown as {
        data: { name: string; parameters: { type: string } }[];
      };
      expect(data.map(({ name }) => name)).toEqual(['search_collection', 'read_document', 'calculate', 'current_time']);
      expect(data.every(({ parameters }) => parameters.type === 'object')).toBe(true);
    });
  });

  describe.each(['planned-native', 'planned-json'])('run with %s', (model) => {
    it('call tools step by step, and answer', async () => {
      const agent = await bench.make({ model, instructions: 'Count.', tools: ['calculate', 'current_time'] });
      plans(
        () => [{ call: 'calculate', given: { expression: '6 * 7' } }],
        () => [{ call: 'current_time', given: { time_zone: 'Asia/Tokyo' } }],
        () => [{ say: model === 'planned-json' ? '{"answer": "It is ' : 'It is ' }, { say: model === 'planned-json' ? '42."}' : '42.' }],
      );
      const { run, events } = await bench.run(agent.id, { context: { unit: 'eggs' } });
      expect(run).toMatchObject({
        status: 'succeeded',
        output: 'It is 42.',
        error: null,
        usage: { model_calls: 3, tool_calls: 2, input_tokens: 300 },
      });
      expect(run.steps.map(({ step, kind, tool }) => [step, kind, tool])).toEqual([
        [1, 'model', undefined],
        [2, 'tool', 'calculate'],
        [3, 'model', undefined],
        [4, 'tool', 'current_time'],
        [5, 'model', undefined],
      ]);
      expect(run.steps[1]).toMatchObject({ arguments: { expression: '6 * 7' }, result: { value: 42 } });
      expect(run.steps[3]).toMatchObject({ result: { time_zone: 'Asia/Tokyo' } });
      expect(names(events).filter((name) => name !== 'delta')).toEqual([
        'accepted',
        'started',
        'tool_call',
        'tool_result',
        'tool_call',
        'tool_result',
        'done',
      ]);
      expect(events.find(({ event }) => event === 'tool_call')?.data).toEqual({
        step: 2,
        tool: 'calculate',
        arguments: { expression: '6 * 7' },
      });
      expect(events.find(({ event }) => event === 'tool_result')?.data).toEqual({ step: 2, tool: 'calculate', result: { value: 42 } });
      expect(textOf(events)).toBe(run.output);
      expect(events.at(-1)?.data).toMatchObject({ id: run.id, output: run.output });
    });

    it('tell the model what went wrong, and go on', async () => {
      const agent = await bench.make({ model, tools: ['calculate', 'read_document', 'search_collection'], collections: [] });
      plans(
        () => [{ call: 'calculate', given: { expression: '1 / 0' } }],
        () => [{ call: 'current_time', given: {} }],
        () => [{ call: 'calculate', given: { expression: 5 } }],
        () => [{ call: 'calculate', given: { expression: '1', extra: true } }],
        () => [{ call: 'read_document', given: { document_id: '../../etc/passwd' } }],
        () => [{ call: 'search_collection', given: { query: 'x', collection: 'default' } }],
        () => [{ say: model === 'planned-json' ? '{"answer": "No."}' : 'No.' }],
      );
      const { run, events } = await bench.run(agent.id);
      expect(run).toMatchObject({ status: 'succeeded', output: 'No.' });
      const errors = run.steps.filter(({ kind }) => kind === 'tool').map(({ error }) => `${error?.code}: ${error?.message}`);
      expect(errors).toEqual([
        'unprocessable: Division by zero.',
        expect.stringContaining('forbidden: There is no tool current_time here'),
        'invalid: expression must be string.',
        'invalid: arguments must NOT have additional properties.',
        'not_found: The document was not found.',
        expect.stringContaining('not_found: There is no such collection here'),
      ]);
      expect(events.filter(({ event, data }) => event === 'tool_result' && 'error' in data)).toHaveLength(6);
      const { requests } = model === 'planned-native' ? native : plain;
      expect(JSON.stringify(requests[1]?.turns.at(-1))).toContain('Division by zero');
    });

    it.each([
      ['steps', { steps: 2 }, 2, 2],
      ['tool calls', { tool_calls: 3 }, 4, 3],
      ['tokens', { tokens: 250 }, 2, 2],
      ['tokens', { tokens: 105 }, 1, 0],
    ])('end when their %s are used up', async (words, limits, models, tools) => {
      const agent = await bench.make({ model, tools: ['calculate'], limits });
      plans((_, place) => [{ call: 'calculate', given: { expression: `${place} + 1` } }]);
      const { run, events } = await bench.run(agent.id);
      expect(run).toMatchObject({
        status: 'failed',
        error: { code: 'budget_exhausted', message: expect.stringContaining(words), retryable: false },
      });
      expect(run.usage).toMatchObject({ model_calls: models, tool_calls: tools });
      expect(events.at(-1)).toMatchObject({ event: 'error', data: { code: 'budget_exhausted' } });
    });

    it('keep what there was of the answer when their seconds are over', async () => {
      const agent = await bench.make({ model, tools: [], limits: { seconds: 1 } });
      plans(async function* ({ signal }) {
        yield { say: 'So far' };
        await untilAborted(signal);
      });
      const { run } = await bench.run(agent.id);
      expect(run).toMatchObject({
        status: 'failed',
        output: 'So far',
        error: { code: 'budget_exhausted', message: 'The run has used up its 1 seconds.' },
      });
    });

    it('answer JSON of the demanded form, at the second try at the latest, or fail', async () => {
      const output_schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
      const agent = await bench.make({ model, tools: ['calculate'], output_schema });
      const wrong = model === 'planned-json' ? '{"answer": {"n": "four"}}' : 'four';
      plans(
        () => [{ say: wrong }],
        () => [{ say: '{"n": 4}' }],
      );
      const { run, events } = await bench.run(agent.id);
      expect(run).toMatchObject({ status: 'succeeded', output: '{"n": 4}', usage: { model_calls: 2 } });
      expect(textOf(events)).toBe('{"n": 4}');
      plans(() => [{ say: '"never"' }]);
      expect((await bench.run(agent.id)).run).toMatchObject({ status: 'failed', error: { code: 'unprocessable' } });
    });
  });

  describe('as runs', () => {
    it('stop when they are cancelled', async () => {
      const agent = await bench.make({ model: 'planned-native' });
      const begun = gate();
      let stopped = false;
      plans(async function* ({ signal }) {
        begun.open();
        yield await untilAborted(signal).catch((error: unknown) => {
          stopped = true;
          throw error;
        });
      });
      const { run, job } = await bench.start(agent.id);
      await begun.opened;
      expect((await api.post(`/api/v1/jobs/${job.id}/cancel`, undefined, token)).status).toBe(200);
      expect(names(await bench.events(job.id)).at(-1)).toBe('cancelled');
      expect(stopped).toBe(true);
      expect(await bench.read(run.id)).toMatchObject({ status: 'cancelled', output: '' });
    });

    it('stop inside a tool that does not listen', async () => {
      const agent = await bench.make({ model: 'planned-native', tools: ['current_time'] });
      plans(() => [{ call: 'current_time', given: {} }]);
      const begun = gate();
      const tool = api.app.get(ToolBox, { strict: false }).get('current_time')?.tool;
      const hanging = jest.spyOn(tool ?? { run: async () => undefined }, 'run').mockImplementation(() => {
        begun.open();
        return new Promise(() => undefined);
      });
      const { run, job } = await bench.start(agent.id);
      await begun.opened;
      await api.post(`/api/v1/jobs/${job.id}/cancel`, undefined, token);
      expect(names(await bench.events(job.id)).at(-1)).toBe('cancelled');
      hanging.mockRestore();
      plans(() => [{ say: 'Free again.' }]);
      expect((await bench.run(agent.id)).run.output).toBe('Free again.');
      expect((await bench.read(run.id)).steps.map(({ kind }) => kind)).toEqual(['model']);
    });

    it('are given up after five attempts that finished no step', async () => {
      Object.assign(api.app.get(JobTiming, { strict: false }), { backoffBaseMs: 10, backoffCapMs: 20 });
      const agent = await bench.make({ model: 'planned-native', tools: ['calculate'] });
      let failures = 0;
      plans(
        () => [{ call: 'calculate', given: { expression: '1' } }],
        () => {
          failures += 1;
          throw new AppError('unavailable', 'The model is busy.');
        },
      );
      const { run, job } = await bench.start(agent.id);
      const events = await bench.events(job.id);
      expect(await bench.read(run.id)).toMatchObject({
        status: 'failed',
        error: { code: 'unavailable', retryable: false },
        usage: { model_calls: 1, tool_calls: 1 },
      });
      // The first of the six had finished steps before it failed.
      expect([failures, events.filter(({ event }) => event === 'started').length]).toEqual([6, 6]);
    });

    it('are repeated as new runs of the agent as it was', async () => {
      const agent = await bench.make({ model: 'planned-native', tools: ['calculate'], limits: { steps: 1 } });
      plans(() => [{ call: 'calculate', given: { expression: '1' } }]);
      const { run } = await bench.run(agent.id, { input: 'Again?' });
      await api.request(`/api/v1/agents/${agent.id}`, { method: 'PATCH', token, body: { instructions: 'New.' } });
      plans(() => [{ say: 'Now.' }]);
      const retried = await api.post(`/api/v1/jobs/${run.job_id}/retry`, undefined, token);
      expect(retried.json).toMatchObject({ status: 'queued', retry_of: run.job_id });
      const events = await bench.events((retried.json as unknown as { id: string }).id);
      const again = events.at(-1)?.data as unknown as { id: string };
      expect(again).toMatchObject({ retry_of: run.id, input: 'Again?', output: 'Now.', agent: { instructions: '' } });
      expect((await api.get(`/api/v1/agents/${agent.id}/runs`, token)).json.data).toMatchObject([{ id: again.id }, { id: run.id }]);
    });

    it('are cancelled with their agent, and kept', async () => {
      const agent = await bench.make({ model: 'planned-native' });
      const begun = gate();
      plans(async function* ({ signal }) {
        begun.open();
        yield await untilAborted(signal);
      });
      const { run } = await bench.start(agent.id);
      await begun.opened;
      expect((await api.delete(`/api/v1/agents/${agent.id}`, token)).status).toBe(204);
      expect(await bench.read(run.id)).toMatchObject({ status: 'cancelled', agent_id: null, agent: { name: agent.name } });
      expect((await api.post(`/api/v1/jobs/${run.job_id}/retry`, undefined, token)).status).toBe(409);
    });

    it.each([
      [{}, 'input'],
      [{ input: '  ' }, 'input'],
      [{ input: 'x', session_id: 'no' }, 'session_id'],
      [{ input: 'x', context: 5 }, 'context'],
      [{ input: 'x', tools: [] }, 'tools'],
    ])('%j is refused', async (body, path) => {
      const agent = await bench.make({ model: 'planned-native' });
      const { status, json } = await api.post(`/api/v1/agents/${agent.id}/runs`, body, token);
      expect({ status, path: (json.errors as { path: string }[] | undefined)?.[0]?.path }).toEqual({ status: 400, path });
    });

    it('answer 404 for what is not there', async () => {
      const nobody = '01890000-0000-7000-8000-000000000000';
      const agent = await bench.make({ model: 'planned-native' });
      expect((await api.get(`/api/v1/agents/runs/${nobody}`, token)).status).toBe(404);
      expect((await api.post(`/api/v1/agents/${nobody}/runs`, { input: 'x' }, token)).status).toBe(404);
      expect((await api.post(`/api/v1/agents/${agent.id}/runs`, { input: 'x', session_id: nobody }, token)).status).toBe(404);
    });

    it('are told the conversation of a session', async () => {
      const agent = await bench.make({ model: 'planned-native' });
      plans(() => [{ say: 'Fine.' }]);
      const session = (await api.post('/api/v1/chat/sessions', { model: 'planned-native' }, token)).json as unknown as { id: string };
      await api.post(`/api/v1/chat/sessions/${session.id}/messages?wait=20`, { content: 'How are you?' }, token);
      await bench.run(agent.id, { session_id: session.id, input: 'And now?' });
      const turns = native.requests.at(-1)?.turns.map(({ role, content }) => [role, content]);
      expect(turns?.slice(1)).toEqual([
        ['user', 'How are you?'],
        ['assistant', 'Fine.'],
        ['user', 'And now?'],
      ]);
    });
  });

  describe('of a workspace', () => {
    /** A second member of the first one's workspace, with that role. */
    async function member(email: string, role: string): Promise<string> {
      const { userId, workspaceId } = await api.register(email);
      const client = api.app.get(PostgresClient, { strict: false });
      const first = (
        await client.query<{ id: string }>(sql`SELECT id FROM workspaces WHERE owner_id = (SELECT id FROM users WHERE first_admin)`)
      )[0]?.id;
      await client.query(
        sql`UPDATE memberships SET workspace_id = ${first}::uuid, role = ${role} WHERE user_id = ${userId}::uuid AND workspace_id = ${workspaceId}::uuid`,
      );
      const { json } = await api.post('/api/v1/auth/login', { email, password: 'correct horse battery staple' });
      return (json as unknown as { access_token: string }).access_token;
    }

    it('are read and run by viewers, written by editors; runs are private unless shared', async () => {
      const viewer = await member('viewer@example.org', 'viewer');
      const agent = await bench.make({ model: 'planned-native' });
      expect((await api.get(`/api/v1/agents/${agent.id}`, viewer)).status).toBe(200);
      expect((await api.post('/api/v1/agents', { name: 'mine' }, viewer)).status).toBe(403);
      expect((await api.delete(`/api/v1/agents/${agent.id}`, viewer)).status).toBe(403);
      plans(() => [{ say: 'Yes.' }]);
      const own = new AgentBench(api, viewer);
      const kept = (await own.run(agent.id)).run;
      const told = (await own.run(agent.id, { visibility: 'workspace' })).run;
      expect((await api.get(`/api/v1/agents/runs/${kept.id}`, token)).status).toBe(404);
      expect((await api.get(`/api/v1/agents/runs/${told.id}`, token)).status).toBe(200);
      expect((await api.get(`/api/v1/agents/${agent.id}/runs`, token)).json.data).toMatchObject([{ id: told.id }]);
    });

    it('end when their key has been revoked', async () => {
      const scopes = ['agents:run', 'jobs:read'];
      const key = (await api.post('/api/v1/auth/keys', { name: 'runner', scopes }, token)).json as unknown as {
        id: string;
        secret: string;
      };
      const agent = await bench.make({ model: 'planned-native', tools: ['calculate'] });
      plans(async function* () {
        await api.delete(`/api/v1/auth/keys/${key.id}`, token);
        yield { call: 'calculate', given: { expression: '1' } };
      });
      const { run, job } = await new AgentBench(api, key.secret).start(agent.id);
      await bench.events(job.id);
      expect(await bench.read(run.id)).toMatchObject({ status: 'failed', error: { code: 'forbidden' }, usage: { tool_calls: 0 } });
    });

    it('end when their maker has lost the right to run them: the next tool is not used', async () => {
      const leaver = await member('leaver@example.org', 'viewer');
      const agent = await bench.make({ model: 'planned-native', tools: ['calculate'] });
      plans(
        () => [{ call: 'calculate', given: { expression: '1' } }],
        async function* () {
          await api.app
            .get(PostgresClient, { strict: false })
            .query(sql`DELETE FROM memberships WHERE user_id = (SELECT id FROM users WHERE email = 'leaver@example.org')`);
          yield { call: 'calculate', given: { expression: '2' } };
        },
      );
      const own = new AgentBench(api, leaver);
      const { run, job } = await own.start(agent.id);
      await own.events(job.id);
      const client = api.app.get(PostgresClient, { strict: false });
      const [ended] = await client.query<{ status: string; error: { code: string } }>(
        sql`SELECT status, error FROM agent_runs WHERE id = ${run.id}::uuid`,
      );
      expect(ended).toMatchObject({ status: 'failed', error: { code: 'forbidden', retryable: false } });
      expect(await client.query(sql`SELECT arguments FROM agent_steps WHERE run_id = ${run.id}::uuid AND kind = 'tool'`)).toEqual([
        { arguments: { expression: '1' } },
      ]);
    });
  });
});
