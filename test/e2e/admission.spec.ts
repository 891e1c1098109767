import { MetricsServer } from '@backing/prometheus';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import { ChatBench } from '../support/chat';
import { parseEvents } from '../support/events';
import { PlannedRuntime } from '../support/planned.runtime';
import { parseMetrics, valueOf } from '../support/prometheus-text';
import { until } from '../support/until';

const COMPLETIONS = '/v1/chat/completions';
const LABELS = { runtime: 'planned', model: 'planned' };

/** Answers that the test holds back, by what was asked. */
class HeldAnswers {
  /** What the model works on or has worked on, in the order in which it began. */
  readonly begun: string[] = [];
  private readonly held = new Map<string, () => void>();

  constructor(readonly model: PlannedRuntime) {
    model.plan = ({ turns }) => this.plan(turns.at(-1)?.content ?? '');
  }

  release(asked: string): void {
    this.held.get(asked)?.();
    this.held.delete(asked);
  }

  async begins(asked: string): Promise<void> {
    await until(() => this.held.has(asked));
  }

  /** Lets one answer after the other go until so many have begun and ended. */
  async releaseAll(count: number): Promise<void> {
    for (let ended = 0; ended < count; ended++) {
      await until(() => this.held.size > 0);
      for (const asked of this.held.keys()) this.release(asked);
    }
  }

  private async *plan(asked: string): AsyncGenerator<{ say: string }> {
    this.begun.push(asked);
    await new Promise<void>((resolve) => this.held.set(asked, resolve));
    yield { say: `About ${asked}.` };
  }
}

describe('admission to a model that is busy', () => {
  let api: TestApi;
  let [one, two]: Registered[] = [];
  let held: HeldAnswers;

  const start = async (): Promise<void> => {
    const env = { MODEL_CONCURRENCY: '1', MODEL_QUEUE: '3', AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '10000' };
    api = await startApi({ database: 'embedded', env });
    [one, two] = [await api.register(), await api.register('second@example.org')];
    held = new HeldAnswers(new PlannedRuntime('planned', true).serve(api.app));
  };
  beforeEach(start);
  afterEach(() => api?.close());

  const ask = (content: string, { accessToken }: Registered = one!): Promise<ApiAnswer> =>
    api.post(COMPLETIONS, { model: 'planned', messages: [{ role: 'user', content }] }, accessToken);
  const queued = async (): Promise<number> => Number((await api.get('/api/v1/models/planned', one!.accessToken)).json.queued);
  const metrics = async () => {
    const response = await fetch(`http://127.0.0.1:${api.app.get(MetricsServer, { strict: false }).port}/metrics`);
    return parseMetrics(await response.text());
  };
  /** One call at work, and two of the same workspace that wait: its share of the queue. */
  const fill = async (): Promise<Promise<ApiAnswer>[]> => {
    const first = ask('a1');
    await held.begins('a1');
    const others = [];
    for (const content of ['a2', 'a3']) {
      others.push(ask(content));
      await until(async () => (await queued()) === others.length);
    }
    return [first, ...others];
  };

  it('refuses what finds the queue full, before anything is done for it, and gives each workspace its turn', async () => {
    const asked = await fill();
    const counted = jest.spyOn(held.model, 'countPromptTokens');
    const refused = await ask('a4');
    expect(counted).not.toHaveBeenCalled();
    expect([refused.status, refused.json]).toEqual([
      503,
      { error: { message: expect.stringContaining('Too many calls wait'), type: 'server_error', param: null, code: 'unavailable' } },
    ]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    const other = ask('b1', two);
    await until(async () => (await queued()) === 3);
    const families = await metrics();
    expect(valueOf(families, 'model_queue_depth', { ...LABELS, urgency: 'interactive' })).toBe(3);
    expect(valueOf(families, 'model_slots', { ...LABELS, state: 'used' })).toBe(1);
    expect(valueOf(families, 'model_slots', { ...LABELS, state: 'all' })).toBe(1);
    expect(valueOf(families, 'model_queue_refusals_total', { ...LABELS, reason: 'full' })).toBe(1);
    await held.releaseAll(4);
    for (const answer of await Promise.all([...asked, other])) expect(answer.status).toBe(200);
    expect(held.begun).toEqual(['a1', 'b1', 'a2', 'a3']);
    const usage = (await api.get('/api/v1/usage', one!.accessToken)).json as unknown as { total: { calls: number } };
    expect(usage.total.calls).toBe(3);
  });

  it('who leaves gives up the place at once', async () => {
    const asked = await fill();
    const gone = new AbortController();
    const body = { model: 'planned', messages: [{ role: 'user', content: 'b1' }], stream: true };
    const left = api.fetch(COMPLETIONS, { method: 'POST', token: two!.accessToken, body }, gone.signal).catch(() => undefined);
    await until(async () => (await queued()) === 3);
    gone.abort();
    await left;
    await until(async () => (await queued()) === 2);
    await held.releaseAll(3);
    await Promise.all(asked);
    expect(held.begun).toEqual(['a1', 'a2', 'a3']);
  });

  it('a job waits in the same queue, and tells its place', async () => {
    const asked = await fill();
    const session = await ChatBench.begin(api, one!.accessToken, { model: 'planned' });
    const accepted = await api.post(`${session.path}/messages`, { content: 'job' }, one!.accessToken);
    const job = `/api/v1/jobs/${(accepted.json.job as unknown as { id: string }).id}`;
    const stream = await api.fetch(`${job}/events`, { token: one!.accessToken });
    let text = '';
    const reading = (async () => {
      for await (const part of stream.body!) text += Buffer.from(part as Uint8Array).toString();
    })();
    const read = async () => (await api.get(job, one!.accessToken)).json;
    await until(async () => (await read()).queue !== undefined);
    expect(await read()).toMatchObject({ status: 'running', attempt: 1, queue: { position: 3, eta_seconds: expect.any(Number) } });
    await until(() => text.includes('event: queued'));
    await held.releaseAll(4);
    await reading;
    const events = await parseEvents(new Response(text));
    expect(events.map(({ event }) => event)).toEqual(['accepted', 'started', 'queued', 'delta', 'done']);
    expect(events[2]?.data).toEqual({ position: 3, eta_seconds: expect.any(Number) });
    expect(await read()).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect((await read()).queue).toBeUndefined();
    await Promise.all(asked);
    expect(held.begun).toEqual(['a1', 'a2', 'a3', 'job']);
  });

  it('a job that is cancelled leaves the queue', async () => {
    const asked = await fill();
    const session = await ChatBench.begin(api, two!.accessToken, { model: 'planned' });
    const accepted = await api.post(`${session.path}/messages`, { content: 'job' }, two!.accessToken);
    const job = `/api/v1/jobs/${(accepted.json.job as unknown as { id: string }).id}`;
    await until(async () => (await queued()) === 3);
    expect((await api.post(`${job}/cancel`, undefined, two!.accessToken)).json.status).toBe('cancelled');
    await until(async () => (await queued()) === 2);
    await held.releaseAll(3);
    await Promise.all(asked);
    expect(held.begun).toEqual(['a1', 'a2', 'a3']);
  });

  it('at a stop those that wait are refused, and the one at work is answered', async () => {
    const [first, ...waiting] = await fill();
    const closed = api.app.close();
    for (const answer of await Promise.all(waiting)) {
      expect([answer.status, answer.json]).toMatchObject([503, { error: { message: 'The server is stopping.' } }]);
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    held.release('a1');
    expect((await first)?.status).toBe(200);
    await closed;
    await start();
  });
});
