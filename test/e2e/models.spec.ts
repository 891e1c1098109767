import { Models } from '@features/models';
import { startApi, type Registered, type TestApi } from '../support/api';
import { CHAT, EMBEDDING, describeModels } from '../support/models';

describeModels('the models of the running server', () => {
  let api: TestApi;
  let me: Registered;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded' });
    me = await api.register();
  });
  afterAll(() => api.close());

  it('lists them by name with their true state', async () => {
    const { status, json } = await api.get('/api/v1/models', me.accessToken);
    expect(status).toBe(200);
    expect(json).toMatchObject({ object: 'list', first_id: EMBEDDING, has_more: false });
    const [embedding, ...others] = json.data as unknown as Record<string, unknown>[];
    expect(embedding).toMatchObject({
      id: EMBEDDING,
      kind: 'embedding',
      runtime: 'llama.cpp',
      state: 'ready',
      size_bytes: 46_345_696,
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      license: 'Apache-2.0',
      dimensions: 384,
      max_input_tokens: 256,
      pooling: 'mean',
      query_prefix: '',
      document_prefix: '',
      threshold: expect.any(Number),
    });
    expect(others).toContainEqual(
      expect.objectContaining({ id: CHAT, kind: 'chat', grade: 'starter', state: 'ready', context_length: 2_048 }),
    );
    expect(others).toContainEqual(expect.objectContaining({ id: 'qwen3-8b', loaded: false }));
  });

  it('pages by name', async () => {
    const first = await api.get('/api/v1/models?limit=2', me.accessToken);
    expect(first.json).toMatchObject({ has_more: true, first_id: EMBEDDING });
    const next = await api.get(`/api/v1/models?after=${String(first.json.last_id)}`, me.accessToken);
    expect((next.json.data as unknown as { id: string }[]).map(({ id }) => id)).not.toContain(first.json.last_id);
    expect((await api.get('/api/v1/models?after=Not%20a%20slug', me.accessToken)).status).toBe(400);
    expect((await api.get('/api/v1/models?colour=red', me.accessToken)).status).toBe(400);
  });

  it('tells what one does, cold and warm', async () => {
    const models = api.app.get(Models, { strict: false });
    const [cold] = [await api.get(`/api/v1/models/${EMBEDDING}`, me.accessToken)];
    expect(cold.json).toMatchObject({ running: expect.any(Number), queued: expect.any(Number) });
    expect(cold.json.cold).toBe(!cold.json.loaded);
    const account = { workspaceId: me.workspaceId, userId: me.userId, apiKeyId: null, jobId: null };
    await models.embed({ model: EMBEDDING, texts: ['The sea'], input: 'query', signal: new AbortController().signal }, account);
    let warm = await api.get(`/api/v1/models/${EMBEDDING}`, me.accessToken);
    // The warm-up after the start may be at work too: the model is idle once that is over.
    while (Number(warm.json.running) > 0) warm = await api.get(`/api/v1/models/${EMBEDDING}`, me.accessToken);
    expect(warm.json).toMatchObject({ loaded: true, cold: false, running: 0, tokens_per_second_recent: expect.any(Number) });
  });

  it('answers an unknown model by 404, and wants a token with a fitting scope', async () => {
    for (const id of ['nowhere', '..%2f..%2fetc', '%00', 'x'.repeat(200)]) {
      const { status } = await api.get(`/api/v1/models/${id}`, me.accessToken);
      expect([id, status === 404 || (id === '%00' && status === 422)]).toEqual([id, true]);
    }
    expect((await api.get('/api/v1/models')).status).toBe(401);
    for (const [scope, status] of [
      ['chat', 200],
      ['models:read', 200],
      ['documents:read', 403],
    ] as const) {
      const key = await api.key(me.accessToken, [scope]);
      expect([scope, (await api.get('/api/v1/models', key)).status]).toEqual([scope, status]);
      expect([scope, (await api.get(`/api/v1/models/${CHAT}`, key)).status]).toEqual([scope, status]);
    }
  });
});
