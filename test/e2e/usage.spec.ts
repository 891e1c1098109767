import { PostgresClient, sql } from '@backing/postgres';
import { UsageReport } from '@features/usage';
import type { Principal } from '@kernel/identity';
import { v7 } from 'uuid';
import { startApi, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { describeModels } from '../support/models';

interface Group {
  group: string | null;
  name: string | null;
  calls: number;
  input_tokens: number;
  output_tokens: number;
  seconds: number;
}

describeDatabases('Usage over HTTP', (kind) => {
  let api: TestApi;
  let owner: Registered;
  let member: Registered;
  const keyId = v7();

  const client = (): PostgresClient => api.app.get(PostgresClient, { strict: false });
  const use = (at: string, by: Partial<Record<'user' | 'workspace' | 'key' | 'model' | 'operation', string>>, input = 10, output = 5) =>
    client().query(
      sql`INSERT INTO usage (id, workspace_id, user_id, api_key_id, operation, model, input_tokens, output_tokens, seconds, created_at)
          VALUES (${v7()}, ${by.workspace ?? owner.workspaceId}, ${by.user ?? owner.userId}, ${by.key ?? null}::uuid, ${by.operation ?? 'chat'},
                  ${by.model ?? 'small'}, ${input}, ${output}, 0.5, ${at}::timestamptz)`,
    );
  const groups = async (query: string, token = owner.accessToken): Promise<Group[]> => {
    const answer = await api.get(`/api/v1/usage?from=2026-01-01&to=2026-01-31&${query}`, token);
    expect([answer.status, answer.json.object]).toEqual([200, 'usage']);
    const data = answer.json.data as unknown as Group[];
    const total = answer.json.total as unknown as Group;
    for (const sum of ['calls', 'input_tokens', 'output_tokens'] as const)
      expect(data.reduce((whole, group) => whole + group[sum], 0)).toBe(total[sum]);
    return data;
  };

  beforeAll(async () => {
    api = await startApi({ database: kind, env: { AUTH_REGISTRATION: 'open', MODEL_CONCURRENCY: '64' } });
    owner = await api.register();
    member = await api.register('member@example.org');
    await use('2025-12-31T23:59:59.999Z', {});
    await use('2026-01-01T00:00:00.000Z', {});
    await use('2026-01-01T23:59:59.999Z', { model: 'large' }, 100, 50);
    await use('2026-01-02T00:00:00.000Z', { operation: 'embed', key: keyId }, 7, 0);
    await use('2026-01-31T23:59:59.999Z', { user: member.userId }, 3, 2);
    await use('2026-02-01T00:00:00.000Z', {});
    await use('2026-01-15T00:00:00.000Z', { workspace: member.workspaceId, user: member.userId }, 1_000, 1_000);
  });
  afterAll(() => api.close());

  it('groups the calls of the workspace by day, with whole days in UTC', async () => {
    expect(await groups('group_by=day')).toEqual([
      { group: '2026-01-01', name: null, calls: 2, input_tokens: 110, output_tokens: 55, seconds: 1 },
      { group: '2026-01-02', name: null, calls: 1, input_tokens: 7, output_tokens: 0, seconds: 0.5 },
      { group: '2026-01-31', name: null, calls: 1, input_tokens: 3, output_tokens: 2, seconds: 0.5 },
    ]);
  });

  it('groups them by model, user, key and operation, largest first', async () => {
    const short = async (query: string) => (await groups(query)).map(({ group, name, calls }) => [group, name, calls]);
    expect(await short('group_by=model')).toEqual([
      ['large', null, 1],
      ['small', null, 3],
    ]);
    expect(await short('group_by=user')).toEqual([
      [owner.userId, 'first@example.org', 3],
      [member.userId, 'member@example.org', 1],
    ]);
    expect(await short('group_by=key')).toEqual([
      [null, null, 3],
      [keyId, null, 1],
    ]);
    expect(await short('group_by=operation')).toEqual([
      ['chat', null, 3],
      ['embed', null, 1],
    ]);
  });

  it('shows a member what is theirs, a key what was done with it, and nobody another workspace', async () => {
    expect(await groups('group_by=user', member.accessToken)).toEqual([expect.objectContaining({ input_tokens: 1_000, calls: 1 })]);
    const editor: Principal = {
      kind: 'user',
      userId: member.userId,
      workspaceId: owner.workspaceId,
      role: 'editor',
      instanceAdmin: false,
      scopes: new Set(['chat']),
    };
    const question = { groupBy: 'user', from: new Date('2026-01-01'), to: new Date('2026-02-01') } as const;
    const { groups: seen, total } = await api.app.get(UsageReport, { strict: false }).read(editor, question);
    expect([seen.map(({ group }) => group), total.inputTokens]).toEqual([[member.userId], 3]);
    const secret = await api.key(owner.accessToken, ['chat']);
    expect(await groups('group_by=user', secret)).toEqual([]);
    const admin = await api.key(owner.accessToken, ['admin']);
    expect((await groups('group_by=user', admin)).map(({ calls }) => calls)).toEqual([3, 1]);
  });

  it.each([
    ['from=yesterday', 'from'],
    ['from=2026-02-30', 'from'],
    ['from=2026-01-01T00:00:00', 'from'],
    ['from=2026-02-01&to=2026-01-01', 'to'],
    ['from=2024-01-01&to=2026-01-01', 'from'],
    ['from=2999-01-01', 'from'],
    ['to=', 'to'],
    ['group_by=colour', 'group_by'],
    ['group_by=day&group_by=user', 'group_by'],
    ['user=me', 'user'],
  ])('answers 400 to ?%s, naming %s', async (query, field) => {
    const answer = await api.get(`/api/v1/usage?${query}`, owner.accessToken);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid']);
    expect((answer.json.errors as unknown as { path: string }[])[0]?.path).toContain(field);
  });

  it('answers far away times with nothing', async () => {
    for (const to of ['0001-01-02', '9999-12-31', '0000-06-01T00:00:00Z']) {
      const answer = await api.get(`/api/v1/usage?to=${to}`, owner.accessToken);
      expect([to, answer.status, answer.json.total]).toEqual([to, 200, { calls: 0, input_tokens: 0, output_tokens: 0, seconds: 0 }]);
    }
  });

  describeModels('with budgets', () => {
    const newKey = async (tokens_per_day: number): Promise<{ id: string; secret: string }> => {
      const body = { name: 'small', scopes: ['chat', 'jobs:read', 'jobs:write', 'documents:write'], limits: { tokens_per_day } };
      const made = await api.post('/api/v1/auth/keys', body, owner.accessToken);
      expect([made.status, made.json.limits]).toEqual([201, { requests_per_minute: null, tokens_per_day }]);
      return made.json as unknown as { id: string; secret: string };
    };
    const today = async (secret: string) => {
      const me = await api.get('/api/v1/auth/me', secret);
      return (me.json.key as unknown as { tokens_today: { used: number; reserved: number; left: number } }).tokens_today;
    };
    const complete = (secret: string, max_tokens: number, signal?: AbortSignal) =>
      api.fetch(
        '/v1/chat/completions',
        {
          method: 'POST',
          token: secret,
          body: { model: 'smollm2-135m-instruct', messages: [{ role: 'user', content: 'Count to three.' }], max_tokens, stream: true },
        },
        signal,
      );

    it('never lets 50 calls at once use more than their key may', async () => {
      const { id, secret } = await newKey(400);
      const answers = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const answer = await complete(secret, 16);
          return { status: answer.status, retry: answer.headers.get('x-should-retry'), text: await answer.text() };
        }),
      );
      const refused = answers.filter(({ status }) => status === 429);
      expect(answers.filter(({ status }) => status === 200).length + refused.length).toBe(50);
      expect(refused.length).toBeGreaterThan(20);
      for (const { retry, text } of refused) {
        expect(retry).toBe('false');
        expect(JSON.parse(text)).toMatchObject({ error: { code: 'insufficient_quota' } });
      }
      const [used] = await client().query<{ tokens: number }>(
        sql`SELECT coalesce(sum(input_tokens + output_tokens), 0)::int AS tokens FROM usage WHERE api_key_id = ${id}::uuid`,
      );
      const budget = await today(secret);
      expect(budget).toEqual({ used: used?.tokens, reserved: 0, left: 400 - (used?.tokens ?? 0) });
      expect(budget.used).toBeGreaterThan(100);
      expect(budget.left).toBeGreaterThanOrEqual(0);
    });

    it('pays for an aborted call what it had used, and frees the rest', async () => {
      const { secret } = await newKey(1_000);
      const abort = new AbortController();
      const answer = await complete(secret, 900, abort.signal);
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      expect((await today(secret)).reserved).toBeGreaterThan(900);
      abort.abort();
      await reader.closed.catch(() => undefined);
      let state = await today(secret);
      while (state.reserved > 0) state = await today(secret);
      expect(state.used).toBeGreaterThan(0);
      expect(state.used).toBeLessThan(900);
    });

    it('ends a running job, and refuses further work before it is accepted', async () => {
      const { id, secret } = await newKey(60);
      const session = await api.post('/api/v1/chat/sessions', { options: { max_tokens: 200 } }, secret);
      const messages = `/api/v1/chat/sessions/${String(session.json.id)}/messages`;
      const first = await api.post(`${messages}?wait=30`, { content: 'Tell me a long story about the sea and its ships.' }, secret);
      expect(first.json).toMatchObject({
        answer: { status: 'failed' },
        job: { status: 'failed', attempt: 1, error: { code: 'budget_exhausted', retryable: false } },
      });
      const { job } = first.json as unknown as { job: { id: string } };
      await client().query(
        sql`INSERT INTO token_budgets (api_key_id, day, used) VALUES (${id}::uuid, (now() AT TIME ZONE 'UTC')::date, 60)
            ON CONFLICT (api_key_id, day) DO UPDATE SET used = 60`,
      );
      const [before] = await client().query<{ jobs: number }>(sql`SELECT count(*)::int AS jobs FROM jobs`);
      const form = new FormData();
      form.set('file', new File(['Some text.'], 'a.txt', { type: 'text/plain' }));
      for (const [path, body] of [
        [messages, { content: 'And again?' }],
        ['/api/v1/documents', form],
        [`/api/v1/jobs/${job.id}/retry`, undefined],
      ] as const) {
        const refused = await api.post(path, body, secret);
        expect([path, refused.status, refused.json.code]).toEqual([path, 429, 'budget_exhausted']);
        expect(refused.headers.get('x-should-retry')).toBe('false');
        expect(refused.headers.get('x-ratelimit-remaining')).not.toBeNull();
      }
      expect(await client().query(sql`SELECT count(*)::int AS jobs FROM jobs`)).toEqual([before]);
      const listed = await api.get('/api/v1/auth/keys?limit=100', owner.accessToken);
      const keys = listed.json.data as unknown as { id: string; tokens_today: object | null }[];
      expect(keys.find((key) => key.id === id)?.tokens_today).toEqual({ used: 60, reserved: 0, left: 0 });
    });
  });
});
