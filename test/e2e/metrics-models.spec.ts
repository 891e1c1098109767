import { MetricsServer } from '@backing/prometheus';
import { startApi, type TestApi } from '../support/api';
import { CHAT, EMBEDDING, describeModels } from '../support/models';
import { parseMetrics, valueOf, type MetricFamily } from '../support/prometheus-text';

const TOKENS = 'gen_ai_client_token_usage';
const CALLS = 'gen_ai_client_operation_duration_seconds_count';
const FIRST = 'gen_ai_server_time_to_first_token_seconds';
const COLD = 'model_cold_loads_total';

interface Spent {
  usage: { prompt_tokens: number; completion_tokens: number };
}

describeModels('Metrics of models', () => {
  let api: TestApi;
  let token: string;

  const scrape = async (): Promise<Map<string, MetricFamily>> => {
    const response = await fetch(`http://127.0.0.1:${api.app.get(MetricsServer, { strict: false }).port}/metrics`);
    expect(response.status).toBe(200);
    return parseMetrics(await response.text());
  };
  const post = async (path: string, body: object): Promise<Spent> => {
    const answer = await api.post(path, body, token);
    expect([path, answer.status]).toEqual([path, 200]);
    return answer.json as unknown as Spent;
  };
  const chat = (): Promise<Spent> =>
    post('/v1/chat/completions', { model: CHAT, max_tokens: 8, messages: [{ role: 'user', content: 'Say hello to the bees.' }] });
  const embed = (): Promise<Spent> => post('/v1/embeddings', { model: EMBEDDING, input: 'A hive of bees.' });

  beforeAll(async () => {
    // The default models are warmed up in the background after the start: others stay cold until they are called.
    api = await startApi({ database: 'embedded', env: { CHAT_MODEL: 'not-here', EMBEDDING_MODEL: 'not-here-either' } });
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());

  it('grow with a chat and an embedding, by what these cost', async () => {
    const before = await scrape();
    for (const [name, labels] of [
      [CALLS, { operation: 'chat', model: CHAT, outcome: 'ok' }],
      [CALLS, { operation: 'embed', model: EMBEDDING, outcome: 'ok' }],
      [COLD, { model: CHAT }],
      [COLD, { model: EMBEDDING }],
    ] as const)
      expect([name, valueOf(before, name, labels)]).toEqual([name, undefined]);
    const { usage: chatted } = await chat();
    const { usage: embedded } = await embed();
    const after = await scrape();
    expect(chatted.completion_tokens).toBeGreaterThan(0);
    const spent = [
      [{ operation: 'chat', model: CHAT, type: 'input' }, chatted.prompt_tokens],
      [{ operation: 'chat', model: CHAT, type: 'output' }, chatted.completion_tokens],
      [{ operation: 'embed', model: EMBEDDING, type: 'input' }, embedded.prompt_tokens],
    ] as const;
    for (const [labels, tokens] of spent) {
      expect([labels, valueOf(after, `${TOKENS}_sum`, labels)]).toEqual([labels, tokens]);
      expect(valueOf(after, `${TOKENS}_count`, labels)).toBe(1);
    }
    expect(valueOf(after, CALLS, { operation: 'chat', model: CHAT, outcome: 'ok' })).toBe(1);
    expect(valueOf(after, CALLS, { operation: 'embed', model: EMBEDDING, outcome: 'ok' })).toBe(1);
    expect(valueOf(after, `${FIRST}_count`, { model: CHAT })).toBe(1);
    expect(valueOf(after, `${FIRST}_sum`, { model: CHAT })).toBeGreaterThan(0);
    for (const model of [CHAT, EMBEDDING]) expect([model, valueOf(after, COLD, { model })]).toEqual([model, 1]);
  });

  it('count the next calls too, which find the weights in memory', async () => {
    await chat();
    await embed();
    const families = await scrape();
    expect(valueOf(families, `${FIRST}_count`, { model: CHAT })).toBe(2);
    expect(valueOf(families, CALLS, { operation: 'embed', model: EMBEDDING, outcome: 'ok' })).toBe(2);
    for (const model of [CHAT, EMBEDDING]) expect([model, valueOf(families, COLD, { model })]).toEqual([model, 1]);
  });

  it('show what runs and what waits', async () => {
    const families = await scrape();
    for (const name of ['model_calls_running', 'model_calls_queued']) {
      expect([name, families.get(name)?.type]).toEqual([name, 'gauge']);
      for (const model of [CHAT, EMBEDDING])
        expect([name, model, valueOf(families, name, { runtime: 'llama.cpp', model })]).toEqual([name, model, 0]);
    }
  });
});
