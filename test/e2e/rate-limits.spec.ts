import { startApi, type TestApi } from '../support/api';
import { CHAT, describeModels } from '../support/models';
import { expectLimit } from '../support/rate-limits';

const LIMIT = 5;
const NAMES = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'] as const;

describe('The headers of the rate limit', () => {
  let api: TestApi;
  let token: string;

  /** A key of its own for each test: its requests are counted alone. */
  const newKey = async (requests_per_minute: number): Promise<string> => {
    const body = { name: 'limited', scopes: ['chat', 'jobs:read', 'models:read'], limits: { requests_per_minute } };
    const made = await api.post('/api/v1/auth/keys', body, token);
    expect([made.status, made.text]).toEqual([201, expect.any(String)]);
    return String(made.json.secret);
  };
  const headersOf = (headers: Headers): number[] => NAMES.map((name) => Number(headers.get(name) ?? Number.NaN));

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '200' } });
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());

  it.each([
    ['/v1', '/v1/models', (json: object) => expect(json).toMatchObject({ error: { code: 'rate_limit_exceeded' } })],
    ['the native routes', '/api/v1/jobs', (json: object) => expect(json).toMatchObject({ code: 'rate_limited' })],
  ])('come with a 429 of %s, all of them', async (_, path, expectBody) => {
    const key = await newKey(LIMIT);
    // At most one minute turns while this runs: the limit is reached in one of the two.
    const answers = [];
    for (let count = 0; count < 2 * LIMIT + 1; count += 1) answers.push(await api.get(path, key));
    const refused = expectLimit(answers, LIMIT);
    expect(refused.length).toBeGreaterThan(0);
    expect(headersOf(answers[0]?.headers ?? new Headers()).slice(0, 2)).toEqual([LIMIT, LIMIT - 1]);
    for (const { headers, json } of refused) {
      expectBody(json);
      const [limit, remaining, reset] = headersOf(headers);
      expect([limit, remaining]).toEqual([LIMIT, 0]);
      const wait = headers.get('retry-after') ?? '';
      expect(wait).toMatch(/^\d+$/);
      expect(Number(wait)).toBeGreaterThanOrEqual(1);
      expect(Number(wait)).toBeLessThanOrEqual(60);
      expect(reset).toBe(Number(wait));
    }
  });

  describeModels('with a real model', () => {
    it('come with an answer that is a stream of events', async () => {
      const key = await newKey(LIMIT);
      const answer = await api.fetch('/v1/chat/completions', {
        method: 'POST',
        token: key,
        body: { model: CHAT, stream: true, max_tokens: 4, messages: [{ role: 'user', content: 'Hello' }] },
      });
      const text = await answer.text();
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/event-stream')]);
      expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
      const [limit, remaining, reset] = headersOf(answer.headers);
      expect([limit, remaining]).toEqual([LIMIT, LIMIT - 1]);
      expect(reset).toBeGreaterThanOrEqual(1);
      expect(reset).toBeLessThanOrEqual(60);
    });
  });
});
