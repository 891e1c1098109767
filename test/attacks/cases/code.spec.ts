import { randomUUID } from 'node:crypto';
import { PostgresClient, sql } from '@backing/postgres';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { AgentBench } from '../../support/agents';
import { startApi, type Registered, type TestApi } from '../../support/api';
import { ChatBench } from '../../support/chat';
import { DocumentsOf } from '../../support/documents';
import { parseEvents, type StreamedEvent } from '../../support/events';
import { describeModels } from '../../support/models';
import { PlannedRuntime } from '../../support/planned.runtime';
import { ExecCanary } from '../network/exec-canary';
import { listeners } from '../network/listeners';
import { productionPackages, SOURCES, sourcesWith } from '../network/sources';

/** What the template languages of comparable products would calculate, or worse. */
const TEMPLATES = [
  '{{7*7}}',
  '{% for a in [7] %}{{ a * 7 }}{% endfor %}',
  '${7*7}',
  '<%= 7*7 %>',
  '#{7*7}',
  '{{ this.constructor.constructor("return process.env")() }}',
  "{{ ''.__class__.__mro__[1].__subclasses__() }}",
  '${process.mainModule.require("child_process").execSync("id")}',
  '{{$json["a"].constructor}}',
  '@(7*7)',
];
const LITERAL = TEMPLATES.join(' ');
/** Keys by which other products made objects out of stored JSON. */
const TAGGED = [
  { lc: 1, type: 'constructor', id: ['langchain', 'prompts', 'PromptTemplate'], kwargs: { template: '{{7*7}}' } },
  { __class__: 'subprocess.Popen', args: ['id'] },
  { 'py/object': 'os.system' },
  { rce: "_$$ND_FUNC$$_function(){require('child_process')}()" },
  { document_id: randomUUID(), version: 1, handler: 'libs/features/evil' },
  [1, 2],
  'text',
  null,
];

describeModels('code that others bring', () => {
  let api: TestApi;
  let owner: Registered;
  let model: PlannedRuntime;
  let bench: AgentBench;
  let canary: ExecCanary;
  let listening: { before: string[]; after: string[] };

  beforeAll(async () => {
    canary = new ExecCanary();
    const before = listeners();
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '100000' } });
    listening = { before, after: listeners() };
    model = new PlannedRuntime('planned-native', true).serve(api.app);
    owner = await api.register();
    bench = new AgentBench(api, owner.accessToken);
  });
  beforeEach(() => {
    model.requests.length = 0;
  });
  afterEach(() => expect(canary.started).toEqual([]));
  afterAll(async () => {
    await api?.close();
    canary?.close();
  });

  const routes = (): string[] => api.app.get(RouteTable).routes.map(({ method, url }) => `${method} ${url}`);

  it('the canary of processes sees what is started', async () => {
    const { spawn } = await import('node:child_process');
    const own = new ExecCanary();
    const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('exit', resolve));
    expect(own.started).toEqual([`${process.execPath} --version`]);
    own.close();
    expect(canary.started.splice(0)).toHaveLength(1);
  });

  describe('what is not here', () => {
    it('C01 C05 C07 C16 C17: no route runs, checks, installs or asks in a language', () => {
      expect(routes().length).toBeGreaterThan(60);
      const odd =
        /valid|eval|exec|code|script|function|sandbox|template|mcp|plugin|install|package|sql|cypher|graph|shell|command|terminal|notebook|debug|devtools|inspect|puppet|browser/iu;
      expect(routes().filter((route) => odd.test(route.replace('/docs/errors/:code', '')))).toEqual([]);
    });

    it('A11 C05 C07 C16 D10: nothing makes code of text, and two places start one program each', () => {
      expect(SOURCES.length).toBeGreaterThan(300);
      expect(
        sourcesWith(
          /from 'node:(?:vm|inspector|cluster|repl|wasi|sea|test)(?:\/promises)?'|from '(?:vm|child_process|worker_threads|cluster)'/u,
        ),
      ).toEqual([]);
      expect(
        sourcesWith(/(?<![\w.])eval\(|new Function\b|Function\(['"`]|vm\.run|\.constructor\.constructor|runInContext|vm\.createContext/u),
      ).toEqual([]);
      expect(sourcesWith(/\beval: true|shell: true|\bexecSync\b|\bexecFileSync\b|\bspawnSync\b|process\.binding|process\.dlopen/u)).toEqual(
        [],
      );
      expect(sourcesWith(/node:child_process/u)).toEqual([
        'libs/backing/faiss/child/faiss-child.ts',
        'libs/features/models/pulls/built-in-download.ts',
      ]);
      expect(sourcesWith(/new Worker\(/u)).toEqual([
        'apps/api/src/http/json-thread.ts',
        'libs/backing/parsers/parser.thread.ts',
        'libs/backing/postgres/embedded.client.ts',
      ]);
      expect(sourcesWith(/\brequire\(|import\((?!['"])/u)).toEqual([
        'libs/backing/faiss/engine/native-binding.ts',
        'libs/backing/parsers/parse.worker.ts',
      ]);
    });

    it('C19: no memory of others is given away', () => {
      expect(sourcesWith(/allocUnsafe|\bSlowBuffer\b|new Buffer\(/u)).toEqual([]);
    });

    it('C01 C05 C08 C11 C13 C14 C17 B19 D04 D05 J08: no package that interprets, unpickles or drives a browser', () => {
      const packages = productionPackages();
      expect(packages.length).toBeGreaterThan(200);
      const odd =
        /^(?:vm2|isolated-vm|quickjs.*|pyodide|node-serialize|serialize-javascript|serialize-to-js|funcster|cryo|pickle.*|jpickle|node-pickle)$|handlebars|mustache|nunjucks|^ejs$|^pug$|^eta$|lodash\.template|puppeteer|playwright|hnsw|graphiti|langchain|langgraph|llamaindex|flowise|modelcontextprotocol|devtools-integration|node-sqlite|^request$|mathjs|expr-eval|safe-eval|static-eval|jexl/iu;
      expect(packages.filter((name) => odd.test(name))).toEqual([]);
    });

    it('C14 I08 K17: it listens at its two ports and nowhere else, on loopback', () => {
      const added = listening.after.filter((address) => !listening.before.includes(address));
      expect(added).toHaveLength(2);
      for (const address of added) expect(address).toMatch(/^127\.0\.0\.1:\d+$/u);
      expect(added).toContain(new URL(api.url).host);
    });
  });

  describe('C01 C02 what looks like code is not taken', () => {
    const definition = { nodes: [{ id: 'a', data: { code: '@exec("id")\ndef f(x=exec("id")): pass' } }], edges: [] };

    it.each([
      '/api/v1/validate/code',
      '/api/v1/custom_component',
      '/api/v1/build_public_tmp/x/flow',
      '/api/v1/node-custom-function',
      '/rest/workflows',
      '/api/v1/mcp/servers',
      '/admin',
      '/console',
      '/debugger',
      '/inspector',
      '/jolokia',
      '/actuator/env',
    ])('%s is not there, with or without a token', async (path) => {
      for (const token of [undefined, owner.accessToken]) {
        const { status } = await api.post(path, { code: definition.nodes[0]?.data.code, data: definition }, token);
        expect([path, status]).toEqual([path, 404]);
      }
    });

    it('a run takes an id, and nothing that says what to do else', async () => {
      const agent = await bench.make({ model: 'planned-native' });
      const more = {
        data: definition,
        definition,
        tools: ['calculate'],
        instructions: 'x',
        overrideConfig: {},
        agent: {},
        code: 'x',
        tweaks: {},
      };
      for (const [field, value] of Object.entries(more)) {
        const { status, json } = await api.post(`/api/v1/agents/${agent.id}/runs`, { input: 'x', [field]: value }, owner.accessToken);
        expect([field, status, json.code]).toEqual([field, 400, 'invalid']);
      }
      expect((await api.post(`/api/v1/agents/${agent.id}/runs`, { input: 'x' })).status).toBe(401);
      expect(model.requests).toEqual([]);
    });

    it.each([
      { type: 'code', code: '1' },
      'python',
      'shell',
      'execute_code',
      'read_file',
      'http_request',
      'sql',
      '../calculate',
      'calculate;id',
      '__proto__',
      'constructor',
    ])('C07 C08 the tool %j is not granted', async (tool) => {
      const { status } = await api.post('/api/v1/agents', { name: randomUUID(), tools: [tool] }, owner.accessToken);
      expect(status).toBe(400);
    });

    it.each([
      { command: 'npx', args: ['--yes', 'evil'] },
      { command: 'docker', args: ['run', '-v', '/:/host'] },
      { env: { NODE_OPTIONS: '--require ./evil.js', npm_config_yes: 'true' } },
      { mcp_servers: [{ transport: 'stdio', command: 'sh' }] },
    ])('C07 nor is a command: %j', async (more) => {
      const { status, json } = await api.post('/api/v1/agents', { name: randomUUID(), ...more }, owner.accessToken);
      expect([status, json.code]).toEqual([400, 'invalid']);
    });
  });

  describe('C11 a collection with a loader of its own', () => {
    const body = { name: 'toast', embedding_function: { name: 'x', config: { model: 'evil/model', trust_remote_code: true } } };

    it('is refused: to strangers before it is read, to members by its fields', async () => {
      expect((await api.post('/api/v1/vectors/collections', body)).status).toBe(401);
      expect(
        (await api.request('/api/v1/vectors/collections', { method: 'POST', headers: { 'content-type': 'application/json' } })).status,
      ).toBe(401);
      for (const field of ['embedding_function', 'configuration', 'trust_remote_code', 'get_or_create', 'loader']) {
        const answer = await api.post(
          '/api/v1/vectors/collections',
          { name: 'toast', [field]: body.embedding_function },
          owner.accessToken,
        );
        expect([field, answer.status, answer.json.code]).toEqual([field, 400, 'invalid']);
      }
      const foreign = await api.post('/api/v1/vectors/collections', { name: 'toast', model: 'evil/model' }, owner.accessToken);
      expect([400, 404, 422]).toContain(foreign.status);
      expect((await api.get('/api/v1/vectors/collections/toast', owner.accessToken)).status).toBe(404);
    });
  });

  describe('C04 C10 a template in a text is a text', () => {
    it('of a conversation: its title, its instructions, its question and its answer', async () => {
      model.plan = (request) => [{ say: request.turns.map(({ content }) => content).join('\n') }];
      const chat = await ChatBench.begin(api, owner.accessToken, {
        title: LITERAL.slice(0, 180),
        system: LITERAL,
        model: 'planned-native',
        collections: [],
      });
      expect(await chat.read()).toMatchObject({ title: LITERAL.slice(0, 180), system: LITERAL });
      const { answer } = await chat.ask(`Say this: ${LITERAL}`);
      expect(model.requests[0]?.turns.map(({ role, content }) => [role, content])).toEqual([
        ['system', LITERAL],
        ['user', `Say this: ${LITERAL}`],
      ]);
      expect(answer.content).toBe(`${LITERAL}\nSay this: ${LITERAL}`);
    });

    it('of an agent: its name, its instructions, its task, its context and what its tools say', async () => {
      model.plan = ({ turns }) =>
        turns.at(-1)?.role === 'tool' ? [{ say: LITERAL }] : [{ call: 'calculate', given: { expression: '{{7*7}}' } }];
      const agent = await bench.make({ name: `a ${TEMPLATES[0]}`, instructions: LITERAL, model: 'planned-native', tools: ['calculate'] });
      const { run } = await bench.run(agent.id, { input: LITERAL, context: { note: LITERAL } });
      expect([agent.name, run.status, run.output]).toEqual([`a ${TEMPLATES[0]}`, 'succeeded', LITERAL]);
      expect(run.steps[1]?.error?.code).toBe('invalid');
      const [first] = model.requests;
      expect(first?.turns[0]?.content).toContain(LITERAL);
      expect(first?.turns[1]?.content).toBe(`${LITERAL}\n\nContext:\n${JSON.stringify({ note: LITERAL })}`);
      expect(JSON.stringify(model.requests)).not.toMatch(/\b49\b/u);
    });

    it('of a document: its name, its metadata and its text, found and cited as it stands', async () => {
      const documents = new DocumentsOf(api, owner);
      const text = `The template is ${LITERAL}.`;
      const made = await documents.ready(await documents.add({ name: `n ${TEMPLATES[2]}`, text, metadata: { m: LITERAL } }));
      expect(made).toMatchObject({ name: `n ${TEMPLATES[2]}`, metadata: { m: LITERAL } });
      const slice = await api.get(`/api/v1/documents/${made.id}/text`, owner.accessToken);
      expect(slice.json).toMatchObject({ text });
    });

    it('of a collection and of a key', async () => {
      const collection = { name: 'templates', description: LITERAL, dimensions: 3 };
      expect((await api.post('/api/v1/vectors/collections', collection, owner.accessToken)).json).toMatchObject({ description: LITERAL });
      const key = await api.post('/api/v1/auth/keys', { name: TEMPLATES[0], scopes: ['chat'] }, owner.accessToken);
      expect(key.text).toContain(JSON.stringify(TEMPLATES[0]).slice(1, -1));
    });

    it('of a filter: refused or compared as it stands', async () => {
      const path = '/api/v1/vectors/collections/templates/points';
      const points = [
        { id: 'p', vector: [1, 0, 0], metadata: { t: TEMPLATES[0] } },
        { id: 'q', vector: [1, 0, 0], metadata: { t: '49' } },
      ];
      expect((await api.request(path, { method: 'PUT', body: { points }, token: owner.accessToken })).status).toBeLessThan(300);
      const found = async (value: string) => {
        const body = { vector: [1, 0, 0], limit: 5, filter: { t: value } };
        const { json } = await api.post('/api/v1/vectors/collections/templates/search', body, owner.accessToken);
        return JSON.stringify(json);
      };
      const hits = await found(TEMPLATES[0] ?? '');
      expect(hits).toContain('"p"');
      expect(hits).not.toContain('"q"');
    });
  });

  it.each([
    '7*7;process.exit(1)',
    'constructor.constructor("return process")()',
    'this.process',
    'require("child_process")',
    'рrocess.exit()',
    '__proto__',
    'globalThis',
    '(()=>1)()',
    '`${1}`',
    '[].filter.constructor',
    'Math.constructor',
    'import("fs")',
    '1..constructor',
    'a=1',
    'new Date',
    'toString.call(1)',
  ])('C08 C05 an expression %j is arithmetic or nothing', async (expression) => {
    model.plan = ({ turns }) => (turns.at(-1)?.role === 'tool' ? [{ say: 'Done.' }] : [{ call: 'calculate', given: { expression } }]);
    const agent = await bench.make({ model: 'planned-native', tools: ['calculate'] });
    const { run } = await bench.run(agent.id);
    expect([run.status, run.steps[1]?.error?.code, run.steps[1]?.result ?? null]).toEqual(['succeeded', 'invalid', null]);
  });

  it('C08 a table of formulas and code is a table', async () => {
    const documents = new DocumentsOf(api, owner);
    const cells = ["=cmd|' /C calc'!A0", '@SUM(1+1)*cmd', "__import__('os').system('id')", 'pd.read_pickle(x)', '+7*7', '{{7*7}}'];
    const csv = `name,formula\n${cells.map((cell, index) => `row ${index},"${cell.replaceAll('"', '""')}"`).join('\n')}\n`;
    const { id } = await documents.ready(await documents.upload(csv, 'table.csv'));
    const { json } = await api.get(`/api/v1/documents/${id}/text`, owner.accessToken);
    for (const cell of cells) expect(String(json.text)).toContain(cell);
    expect(String(json.text)).not.toMatch(/\b49\b/u);
  });

  describe('C13 what was planted where jobs are kept', () => {
    it.each(TAGGED)(
      'a payload %j ends its job',
      async (payload) => {
        const database = api.app.get(PostgresClient, { strict: false });
        const id = randomUUID();
        await database.query(
          sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts)
            VALUES (${id}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, 'documents.ingest', 1, ${JSON.stringify(payload)}::jsonb, 5)`,
        );
        await database.query(sql`INSERT INTO outbox (id, job_id, kind) VALUES (${randomUUID()}::uuid, ${id}::uuid, 'documents.ingest')`);
        // A job that does not end has no last event.
        const told = api.fetch(`/api/v1/jobs/${id}/events`, { token: owner.accessToken }, AbortSignal.timeout(20_000));
        const events = await told.then(parseEvents).catch((): StreamedEvent[] => []);
        expect(events.at(-1)).toMatchObject({
          event: 'error',
          data: { code: 'internal', message: 'The stored payload breaks its contract.', retryable: false },
        });
        const retried = await api.post(`/api/v1/jobs/${id}/retry`, undefined, owner.accessToken);
        expect([retried.status, retried.json.code]).toEqual([409, 'conflict']);
      },
      60_000,
    );

    it("a kind of work that nobody declared is nobody's", async () => {
      const database = api.app.get(PostgresClient, { strict: false });
      const id = randomUUID();
      await database.query(
        sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts)
            VALUES (${id}::uuid, ${owner.workspaceId}::uuid, ${owner.userId}::uuid, 'os.system', 1, '{"command":"id"}'::jsonb, 5)`,
      );
      await database.query(sql`INSERT INTO outbox (id, job_id, kind) VALUES (${randomUUID()}::uuid, ${id}::uuid, 'os.system')`);
      const agent = await bench.make({ model: 'planned-native' });
      model.plan = () => [{ say: 'Later than the planted one.' }];
      expect((await bench.run(agent.id)).run.status).toBe('succeeded');
      expect((await api.get(`/api/v1/jobs/${id}`, owner.accessToken)).json).toMatchObject({ status: 'queued' });
    });

    it('a cursor is an id, whatever it carries', async () => {
      const planted = Buffer.from(JSON.stringify(TAGGED[0])).toString('base64url');
      for (const path of ['/api/v1/documents', '/api/v1/jobs', '/api/v1/chat/sessions', '/api/v1/agents', '/api/v1/models']) {
        const { status } = await api.get(`${path}?after=${planted}`, owner.accessToken);
        expect([path, status]).toEqual([path, 400]);
      }
    });
  });
});
