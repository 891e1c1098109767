import { startApi, type ApiAnswer, type TestApi } from '../support/api';
import { describeModels, EMBEDDING } from '../support/models';

const ROOT = '/api/v1/vectors/collections';
const SUBJECTS = ['harbour', 'orchard', 'library', 'glacier', 'foundry'];

describeModels('Texts as points', () => {
  let api: TestApi;
  let token: string;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '10000' } });
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());

  const put = (name: string, points: unknown[], headers: Record<string, string> = {}) =>
    api.request(`${ROOT}/${name}/points`, { method: 'PUT', token, body: { points }, headers });
  const search = (name: string, body: object) => api.post(`${ROOT}/${name}/search`, body, token);
  const texts = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ id: `t${n}`, text: `Note ${n} about the ${SUBJECTS[n % 5]}.`, metadata: { n } }));

  it('are embedded by the model of the collection and found by meaning, words and both', async () => {
    const made = await api.post(ROOT, { name: 'notes' }, token);
    expect(made.json).toMatchObject({ space: { model: EMBEDDING, dimensions: 384, metric: 'cosine' } });
    const points = [
      { id: 'dog', text: 'A dog chases a ball in the park.' },
      { id: 'tax', text: 'The deadline for the tax return is in July.' },
      { id: 'own', vector: Array.from({ length: 384 }, (_, n) => (n === 0 ? 1 : 0)) },
    ];
    expect((await put('notes', points)).json).toEqual({ upserted: 3, ids: ['dog', 'tax', 'own'] });
    const meaning = await search('notes', { text: 'puppy playing outside', mode: 'vector', limit: 2 });
    expect(ids(meaning)[0]).toBe('dog');
    expect(ids(await search('notes', { text: 'returns', mode: 'text' }))).toEqual(['tax']);
    const both = await search('notes', { text: 'When is the tax return due?' });
    expect(both.json).toMatchObject({ mode: 'hybrid', data: [{ id: 'tax', score: 1, text: points[1]?.text }, {}, {}] });
    const near = await search('notes', { text: 'When is the tax return due?', min_score: 0.4 });
    expect(ids(near)).toEqual(['tax']);
    expect((await put('notes', [{ text: 'word '.repeat(2_000) }])).status).toBe(422);
  });

  it('are a hundred at once, and more by a job that has written them when it is done', async () => {
    await api.post(ROOT, { name: 'batch' }, token);
    expect((await put('batch', texts(101))).status).toBe(400);
    const accepted = await put('batch', texts(120), { prefer: 'return=minimal, Respond-Async' });
    expect([accepted.status, accepted.headers.get('preference-applied')]).toEqual([202, 'respond-async']);
    const { id } = accepted.json.job as unknown as { id: string };
    expect(accepted.headers.get('location')).toBe(`/api/v1/jobs/${id}`);
    const events = await api.fetch(`/api/v1/jobs/${id}/events`, { token });
    expect(await events.text()).toContain('event: done');
    const job = (await api.get(`/api/v1/jobs/${id}`, token)).json;
    expect(job).toMatchObject({
      status: 'succeeded',
      kind: 'points.embed',
      result: { upserted: 120 },
      progress: { done: 120, total: 120 },
    });
    expect((await api.post(`${ROOT}/batch/points/count`, { filter: { n: { $gte: 100 } } }, token)).json).toEqual({ count: 20 });
    expect(ids(await search('batch', { text: 'note about ice', mode: 'vector', limit: 3, filter: { n: { $lt: 10 } } }))).toContain('t3');
  });

  it('are checked before the job is accepted', async () => {
    const answer = await put('batch', [...texts(3), { id: 'bad', text: 'x', metadata: { a: null } }], { prefer: 'respond-async' });
    expect([answer.status, answer.text]).toEqual([422, expect.stringContaining('points[3].metadata.a')]);
    const { data } = (await api.get('/api/v1/jobs?kind=points.embed', token)).json as unknown as { data: unknown[] };
    expect(data).toHaveLength(1);
  });

  it('stop being embedded when their collection is deleted, and nothing of it stays', async () => {
    await api.post(ROOT, { name: 'doomed' }, token);
    const accepted = await put('doomed', texts(400), { prefer: 'respond-async' });
    const { id } = accepted.json.job as unknown as { id: string };
    const uploaded = await api.post(
      '/api/v1/documents',
      { collection: 'doomed', name: 'a.txt', text: 'A text about a lighthouse.' },
      token,
    );
    const { document } = uploaded.json as unknown as { document: { id: string } };
    expect((await api.delete(`${ROOT}/doomed`, token)).status).toBe(204);
    expect((await api.get(`/api/v1/jobs/${id}`, token)).json.status).toBe('cancelled');
    expect((await api.get(`/api/v1/documents/${document.id}`, token)).status).toBe(404);
    expect((await put('doomed', texts(1))).status).toBe(404);
    expect((await api.post(ROOT, { name: 'doomed' }, token)).json).toMatchObject({ counts: { points: 0, documents: 0 } });
  });

  it('of documents are points too: found, filtered by the metadata of the document, and not to be changed here', async () => {
    const uploaded = await api.post(
      '/api/v1/documents',
      { name: 'lamp.txt', text: 'The lighthouse keeper trims the lamp at dusk.', metadata: { shelf: 'north' } },
      token,
    );
    const { document, job } = uploaded.json as unknown as { document: { id: string }; job: { id: string } };
    await (await api.fetch(`/api/v1/jobs/${job.id}/events`, { token })).text();
    const found = await search('default', { text: 'lighthouse', filter: { shelf: 'north' } });
    expect(found.json).toMatchObject({
      data: [{ document_id: document.id, metadata: { shelf: 'north' }, start: 0, end: 45, text: expect.stringContaining('lighthouse') }],
    });
    expect(ids(await search('default', { text: 'lighthouse', filter: { shelf: 'south' } }))).toEqual([]);
    const [chunk = ''] = ids(found);
    const path = `${ROOT}/default/points/${chunk}`;
    expect((await api.get(path, token)).json).toMatchObject({ id: chunk, document_id: document.id });
    expect((await api.request(path, { method: 'PATCH', token, body: { metadata: { a: 1 } } })).status).toBe(409);
    expect((await api.delete(path, token)).status).toBe(409);
    expect(
      (
        await put('default', [
          { id: 'new', text: 'x' },
          { id: chunk, text: 'y' },
        ])
      ).text,
    ).toContain('points[1].id');
    expect((await api.get(`${ROOT}/default/points/new`, token)).status).toBe(404);
    expect((await api.post(`${ROOT}/default/points/delete`, { ids: [chunk] }, token)).json).toEqual({ deleted: 0 });
    const passages = await api.post('/api/v1/search', { query: 'who trims the lamp?', collections: ['default', 'notes'], limit: 3 }, token);
    expect(passages.json).toMatchObject({
      data: [{ collection: 'default', document_id: document.id, document: 'lamp.txt', start: 0, end: 45, found: true }],
    });
    await api.delete(`/api/v1/documents/${document.id}`, token);
    expect((await api.get(path, token)).status).toBe(404);
    expect(ids(await search('default', { text: 'lighthouse' }))).toEqual([]);
  });
});

function ids(answer: ApiAnswer): string[] {
  if (answer.status !== 200) throw new Error(answer.text);
  return (answer.json.data as unknown as { id: string }[]).map((each) => each.id);
}
