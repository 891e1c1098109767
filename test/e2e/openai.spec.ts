import { Models } from '@features/models';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import { CHAT, EMBEDDING, describeModels } from '../support/models';
import { PlannedRuntime } from '../support/planned.runtime';
import { until } from '../support/until';

const COMPLETIONS = '/v1/chat/completions';
const HELLO = [{ role: 'user', content: 'Hello.' }];

/** The data of an event stream's lines. */
function frames(text: string): string[] {
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data);
}

describe('the OpenAI-compatible API', () => {
  let api: TestApi;
  let me: Registered;
  let model: PlannedRuntime;

  beforeAll(async () => {
    const env = {
      RATE_LIMIT_PER_MINUTE: '10000',
      MODEL_ALIASES: 'foreign/name=planned,elsewhere=not-here',
      MODEL_COLD_SECONDS: '1',
      MODEL_FIRST_TOKEN_SECONDS: '1',
    };
    api = await startApi({ database: 'embedded', env });
    me = await api.register();
    model = new PlannedRuntime('planned', true, { capabilities: ['chat', 'tools', 'thinking'] }).serve(api.app);
  });
  afterAll(() => api?.close());
  beforeEach(() => {
    model.requests.length = 0;
    model.plan = () => [{ say: 'Good ' }, { say: 'day.' }];
  });

  const ask = (body: object, token = me.accessToken) => api.post(COMPLETIONS, { model: 'planned', messages: HELLO, ...body }, token);

  function expectError(answer: ApiAnswer, status: number, error: object): void {
    expect([answer.status, answer.json]).toEqual([
      status,
      { error: { message: expect.stringMatching(/\S/), type: 'invalid_request_error', param: null, code: null, ...error } },
    ]);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('x-request-id')).toMatch(/\S/);
    expect(answer.text).not.toMatch(/node_modules|\.ts:\d|\.js:\d|SELECT|zod|Fastify|FST_/);
  }

  describe('errors have OpenAI’s form', () => {
    const raw = (body: string | Buffer, headers: Record<string, string> = { 'content-type': 'application/json' }, path = COMPLETIONS) =>
      fetch(api.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${me.accessToken}`, ...headers },
        body: new Uint8Array(Buffer.from(body)),
      }).then(async (response): Promise<ApiAnswer> => {
        const text = await response.text();
        return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as ApiAnswer['json'] };
      });

    it('401', async () => {
      for (const token of [undefined, 'sk-wrong']) {
        const answer = await api.get('/v1/models', token);
        expectError(answer, 401, { type: 'authentication_error', code: 'invalid_api_key' });
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      }
    });

    it('403', async () => {
      const answer = await ask({}, await api.key(me.accessToken, ['jobs:read']));
      expectError(answer, 403, { type: 'permission_error', code: 'insufficient_permissions' });
    });

    it.each(['/v1', '/v1/nothing', '/v1/chat', '/v1?x=1', '/%761/nothing'])('404 of the address %s', async (path) => {
      const answer = await api.get(path, me.accessToken);
      expectError(answer, 404, { type: 'not_found_error', code: 'not_found' });
    });

    it('405, also of an address with an id', async () => {
      for (const path of [COMPLETIONS, '/v1/models/planned']) {
        const answer = await api.request(path, { method: 'PATCH', token: me.accessToken });
        expectError(answer, 405, { code: 'method_not_allowed' });
        expect(answer.headers.get('allow')).toMatch(/POST|GET/);
      }
    });

    it('413, 415 and bodies that are none', async () => {
      expectError(await raw(`"${'x'.repeat(1_100_000)}"`), 413, { code: 'too_large' });
      expectError(await raw('a', { 'content-type': 'text/plain' }), 415, { code: 'unsupported_media_type' });
      expectError(await raw('{'), 400, {});
      expectError(await raw(''), 400, {});
      expectError(await raw('[]'), 400, {});
      expectError(await raw('{"a":1,"a":2}'), 400, { param: 'a' });
      expectError(await raw('{"model":"a\\u0000"}'), 400, { param: 'model' });
      expectError(await raw(Buffer.from([0xff, 0xfe])), 400, {});
    });

    it('a path that cannot be decoded', async () => {
      expectError(await raw('{}', { 'content-type': 'application/json' }, '/v1/models/%E0%A4%A'), 400, {});
    });

    it('429: too many requests, and a budget that is used up, which is not tried again', async () => {
      const make = async (limits: object): Promise<string> =>
        String((await api.post('/api/v1/auth/keys', { name: 'limited', scopes: ['chat'], limits }, me.accessToken)).json.secret);
      const slow = await make({ requests_per_minute: 1 });
      await ask({}, slow);
      const limited = await ask({}, slow);
      expectError(limited, 429, { type: 'rate_limit_error', code: 'rate_limit_exceeded' });
      expect(Number(limited.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      const poor = await make({ tokens_per_day: 1 });
      const spent = await ask({ max_tokens: 100 }, poor);
      expectError(spent, 429, { type: 'insufficient_quota', code: 'insufficient_quota' });
      expect(spent.headers.get('x-should-retry')).toBe('false');
    });

    it('500 without a word of what broke', async () => {
      model.plan = () => {
        throw new TypeError('secret of the runtime');
      };
      const answer = await ask({});
      expectError(answer, 500, { type: 'server_error', code: 'internal' });
      expect(answer.text).not.toContain('secret');
    });

    it('after the first word: in the stream, which then ends without [DONE]', async () => {
      model.plan = function* () {
        yield { say: 'Good' };
        throw new TypeError('secret of the runtime');
      };
      const { status, text } = await ask({ stream: true });
      const data = frames(text);
      expect(status).toBe(200);
      expect(JSON.parse(data.at(-1) ?? '')).toEqual({
        error: { message: expect.any(String), type: 'server_error', param: null, code: 'internal' },
      });
      expect(text).toContain('"content":"Good"');
      expect(text).not.toMatch(/secret|\[DONE\]/);
    });

    it('before the first word: with its own status, also when a stream was asked for', async () => {
      model.plan = () => {
        throw new TypeError('broken');
      };
      expectError(await ask({ stream: true }), 500, { type: 'server_error', code: 'internal' });
    });

    it('504 when the model does not begin in time', async () => {
      model.plan = async function* () {
        const { signal } = model.requests.at(-1)!;
        yield await new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      };
      const answer = await ask({});
      expectError(answer, 504, { type: 'server_error', code: 'timeout' });
    });
  });

  it('is documented with its own errors', async () => {
    const { paths } = (await api.get('/docs/openapi.json')).json as unknown as {
      paths: Record<string, Record<string, { responses: Record<string, { content: Record<string, { schema: { $ref?: string } }> }> }>>;
    };
    const operations = Object.entries(paths).filter(([path]) => path.startsWith('/v1/'));
    expect(operations.map(([path]) => path)).toEqual([
      '/v1/chat/completions',
      '/v1/completions',
      '/v1/embeddings',
      '/v1/models',
      '/v1/models/{id}',
    ]);
    for (const { responses } of operations.flatMap(([, methods]) => Object.values(methods))) {
      expect(Object.keys(responses)).not.toContain('422');
      for (const [status, { content }] of Object.entries(responses).filter(([code]) => code >= '400')) {
        expect([status, content]).toEqual([status, { 'application/json': { schema: { $ref: '#/components/schemas/OpenAiError' } } }]);
      }
    }
  });

  describe('models', () => {
    it('are those that can be used, with aliases of them', async () => {
      const { json } = await api.get('/v1/models', me.accessToken);
      const listed = json.data as unknown as { id: string; alias_of?: string }[];
      expect(listed).toContainEqual({ id: 'planned', object: 'model', created: expect.any(Number), owned_by: 'planned' });
      expect(listed).toContainEqual(expect.objectContaining({ id: 'foreign/name', alias_of: 'planned' }));
      for (const absent of ['elsewhere', 'qwen3-0.6b']) expect(listed.map(({ id }) => id)).not.toContain(absent);
      expect((await api.get('/v1/models/foreign%2Fname', me.accessToken)).json).toMatchObject({ id: 'foreign/name' });
      expectError(await api.get('/v1/models/elsewhere', me.accessToken), 404, {
        type: 'not_found_error',
        param: 'model',
        code: 'model_not_found',
        message: expect.stringContaining('planned'),
      });
    });

    it('need the scope models:read or chat', async () => {
      expect((await api.get('/v1/models', await api.key(me.accessToken, ['models:read']))).status).toBe(200);
      expect((await api.get('/v1/models', await api.key(me.accessToken, ['vectors:read']))).status).toBe(403);
    });

    it('that cannot do what is asked are named, with those that can', async () => {
      const missing = { type: 'not_found_error', param: 'model', code: 'model_not_found' };
      expectError(await ask({ model: 'gpt-unheard-of' }), 404, { ...missing, message: expect.stringContaining('planned') });
      const command = expect.stringMatching(/npm run models -- fetch qwen3-0.6b.*Available: .*planned/);
      expectError(await ask({ model: 'qwen3-0.6b' }), 404, { ...missing, message: command });
      const wrong = await api.post('/v1/embeddings', { model: 'planned', input: 'a' }, me.accessToken);
      expectError(wrong, 400, { param: 'model', message: expect.stringContaining('no embedding model') });
      const plain = await api.post('/v1/completions', { model: 'planned', prompt: 'a' }, me.accessToken);
      expectError(plain, 400, { param: 'model', message: expect.stringContaining('completion') });
      expectError(await ask({ response_format: { type: 'json_object' } }), 400, { param: 'response_format' });
    });
  });

  describe('chat', () => {
    it('passes on what was asked', async () => {
      await ask({
        model: 'foreign/name',
        messages: [{ role: 'developer', content: 'Be brief.' }, ...HELLO],
        temperature: 0.1,
        top_p: 0.5,
        seed: 3,
        stop: 'x',
        max_completion_tokens: 9,
        reasoning_effort: 'low',
      });
      expect(model.requests[0]).toMatchObject({
        model: 'planned',
        turns: [{ role: 'system', content: 'Be brief.' }, ...HELLO],
        temperature: 0.1,
        topP: 0.5,
        seed: 3,
        stop: ['x'],
        maxTokens: 9,
        think: true,
      });
    });

    it('lets an answer take what the context has left', async () => {
      await ask({});
      expect(model.requests[0]).toMatchObject({ maxTokens: 8_192 - 10 });
    });

    it('keeps thinking apart from the answer', async () => {
      model.plan = () => [{ say: '<think>Hm.</think>' }, { say: 'Yes.' }];
      const { json } = await ask({ reasoning_effort: 'high' });
      const [{ message }] = json.choices as unknown as [{ message: object }];
      expect(message).toMatchObject({ content: 'Yes.', reasoning_content: 'Hm.' });
      const deltas = frames((await ask({ reasoning_effort: 'high', stream: true })).text)
        .filter((data) => data !== '[DONE]')
        .map((data) => (JSON.parse(data) as { choices: [{ delta: { content?: string; reasoning_content?: string } }] }).choices[0].delta);
      expect(deltas.map(({ content = '' }) => content).join('')).toBe('Yes.');
      expect(deltas.map(({ reasoning_content = '' }) => reasoning_content).join('')).toBe('Hm.');
    });

    it('ends with the first call unless several are wanted', async () => {
      model.plan = () => [
        { call: 'one', given: { a: 1 } },
        { call: 'two', given: {} },
      ];
      const tools = ['one', 'two'].map((name) => ({ type: 'function', function: { name } }));
      const calls = async (fields: object) => {
        const { json } = await ask({ tools, ...fields });
        const [choice] = json.choices as unknown as [
          { finish_reason: string; message: { content: null; tool_calls: { function: object }[] } },
        ];
        expect([choice.finish_reason, choice.message.content]).toEqual(['tool_calls', null]);
        return choice.message.tool_calls.map((call) => call.function);
      };
      expect(await calls({})).toEqual([
        { name: 'one', arguments: '{"a":1}' },
        { name: 'two', arguments: '{}' },
      ]);
      expect(await calls({ parallel_tool_calls: false })).toEqual([{ name: 'one', arguments: '{"a":1}' }]);
      expect(model.requests[0]?.tools).toEqual(['one', 'two'].map((name) => ({ name, parameters: { type: 'object', properties: {} } })));
    });

    it('refuses conversations that cannot be answered', async () => {
      const refused = async (messages: unknown, param: string) => expectError(await ask({ messages }), 400, { param });
      await refused([], 'messages');
      await refused([...HELLO, { role: 'assistant', content: 'Hi.' }], 'messages');
      await refused([{ role: 'function', name: 'f', content: 'x' }], 'messages[0].role');
      await refused([{ role: 'tool', tool_call_id: 'c', content: 'x' }], 'messages[0].tool_call_id');
      await refused('Hello.', 'messages');
    });
  });
});

describe('a server that stops', () => {
  it('ends what takes too long with 503, in time', async () => {
    const api = await startApi({ database: 'embedded', env: { SHUTDOWN_SECONDS: '2' } });
    const { accessToken: token } = await api.register();
    const model = new PlannedRuntime('planned', true).serve(api.app);
    const started = new Promise<void>((resolve) => {
      model.plan = async function* () {
        resolve();
        const { signal } = model.requests.at(-1)!;
        yield await new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      };
    });
    const answer = api.post(COMPLETIONS, { model: 'planned', messages: HELLO }, token);
    await started;
    const closed = api.close();
    expect(await answer).toMatchObject({ status: 503, json: { error: { type: 'server_error', code: 'unavailable' } } });
    await closed;
  });
});

describeModels('a client that goes away', () => {
  let api: TestApi;
  let me: Registered;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '10000' } });
    me = await api.register();
  });
  afterAll(() => api?.close());

  // The server warms its models up by itself, which counts as work.
  beforeAll(async () => {
    await api.post(COMPLETIONS, { model: CHAT, messages: HELLO, max_tokens: 1 }, me.accessToken);
    await api.post('/v1/embeddings', { model: EMBEDDING, input: 'a' }, me.accessToken);
    while ((await atWork()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  const QUIET_MS = 200;
  const story = 'Tell a long story about a lighthouse. '.repeat(20);
  // Held to a list that long, the starter is at it for seconds.
  const schema = {
    type: 'object',
    properties: { numbers: { type: 'array', items: { type: 'integer' }, minItems: 200 } },
    required: ['numbers'],
  };
  const endless = {
    model: CHAT,
    messages: [{ role: 'user', content: story }],
    response_format: { type: 'json_schema', json_schema: { name: 'numbers', schema } },
  };
  const CALLS: [string, string, object][] = [
    ['a streamed chat', COMPLETIONS, { ...endless, stream: true }],
    ['a whole chat', COMPLETIONS, endless],
    ['a completion', '/v1/completions', { model: CHAT, prompt: Array.from({ length: 16 }, () => story), max_tokens: 1_000 }],
    ['embeddings', '/v1/embeddings', { model: EMBEDDING, input: Array.from({ length: 500 }, (_, index) => `${story} ${index}`) }],
  ];
  const atWork = async (): Promise<number> => {
    const models = api.app.get(Models, { strict: false });
    const activities = await Promise.all([CHAT, EMBEDDING].map((id) => models.status(id)));
    return activities.reduce((sum, { running, queued }) => sum + running + queued, 0);
  };
  const used = async (): Promise<unknown> => (await api.get('/api/v1/usage', me.accessToken)).json.total;

  it.each(CALLS.flatMap(([name, path, body]) => [30, 300, 700].map((after) => [name, after, path, body] as const)))(
    '%s after %i ms: the model comes to rest, and uses nothing more',
    async (_, after, path, body) => {
      const gone = new AbortController();
      setTimeout(() => gone.abort(), after);
      const call = api.fetch(path, { method: 'POST', token: me.accessToken, body }, gone.signal).then((response) => response.text());
      await expect(call).rejects.toThrow(/abort/i);
      await until(async () => (await atWork()) === 0);
      const before = await used();
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      expect(await used()).toEqual(before);
    },
  );

  it('would have been waited for', async () => {
    const { json } = await api.post(COMPLETIONS, { ...endless, max_tokens: 300 }, me.accessToken);
    expect(json.choices).toMatchObject([{ finish_reason: 'length' }]);
  });

  it('leaves a server that answers, and that counts what it used', async () => {
    const before = (await used()) as Record<string, number>;
    const { status, json } = await api.post(COMPLETIONS, { model: CHAT, messages: HELLO, max_tokens: 4 }, me.accessToken);
    const usage = json.usage as unknown as { prompt_tokens: number; completion_tokens: number };
    expect(status).toBe(200);
    expect(usage.completion_tokens).toBeGreaterThan(0);
    expect(await used()).toMatchObject({
      calls: before.calls! + 1,
      input_tokens: before.input_tokens! + usage.prompt_tokens,
      output_tokens: before.output_tokens! + usage.completion_tokens,
    });
  });
});
