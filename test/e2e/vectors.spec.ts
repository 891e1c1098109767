import { request as httpRequest } from 'node:http';
import { startApi, type ApiAnswer, type TestApi } from '../support/api';

const ROOT = '/api/v1/vectors/collections';

describe('Vectors that users bring', () => {
  let api: TestApi;
  let token: string;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '10000' } });
    token = (await api.register()).accessToken;
    for (const [name, more] of Object.entries({ plain: {}, far: { metric: 'l2' }, inner: { metric: 'dot' } }))
      expect((await api.post(ROOT, { name, dimensions: 3, ...more }, token)).status).toBe(201);
  });
  afterAll(() => api?.close());

  const put = (name: string, points: unknown[], headers: Record<string, string> = {}) =>
    api.request(`${ROOT}/${name}/points`, { method: 'PUT', token, body: { points }, headers });
  const bulk = (name: string, body: Buffer): Promise<Response> =>
    fetch(`${api.url}${ROOT}/${name}/points`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(body),
    });
  const search = (name: string, body: object) => api.post(`${ROOT}/${name}/search`, body, token);
  const fresh = async (name: string, more: object = { dimensions: 3 }): Promise<string> => {
    expect((await api.post(ROOT, { name, ...more }, token)).status).toBe(201);
    return name;
  };

  describe('collections', () => {
    it('are made, shown with counts and space, listed by name, changed and deleted', async () => {
      const made = await api.post(ROOT, { name: 'tour', dimensions: 4, metric: 'dot', language: 'de', description: 'A tour' }, token);
      expect([made.status, made.headers.get('location')]).toEqual([201, `${ROOT}/tour`]);
      expect(made.json).toMatchObject({
        name: 'tour',
        store: 'pgvector',
        language: 'de',
        description: 'A tour',
        space: { model: null, dimensions: 4, metric: 'dot', version: 1 },
        counts: { points: 0, documents: 0 },
      });
      await put('tour', [{ vector: [1, 2, 3, 4] }]);
      const read = await api.get(`${ROOT}/tour`, token);
      expect(read.json).toMatchObject({ counts: { points: 1, documents: 0 } });
      const etag = read.headers.get('etag') ?? '';
      const change = (match: string, body: object) =>
        api.request(`${ROOT}/tour`, { method: 'PATCH', token, body, headers: { 'if-match': match } });
      const changed = await change(etag, { description: null });
      expect([changed.status, changed.json.description, changed.json.language]).toEqual([200, null, 'de']);
      expect((await change(etag, { language: 'en' })).status).toBe(412);
      const names = async (query: string): Promise<unknown> =>
        ((await api.get(`${ROOT}?${query}`, token)).json.data as unknown as { name: string }[]).map((each) => each.name);
      expect(await names('limit=100')).toEqual(['default', 'far', 'inner', 'plain', 'tour']);
      expect(await names('limit=2&after=default')).toEqual(['far', 'inner']);
      expect(await names('limit=2&before=tour')).toEqual(['inner', 'plain']);
      expect((await api.request(`${ROOT}/tour`, { method: 'DELETE', token, headers: { 'if-match': etag } })).status).toBe(412);
      expect((await api.delete(`${ROOT}/tour`, token)).status).toBe(204);
      expect((await api.get(`${ROOT}/tour`, token)).status).toBe(404);
      expect((await api.post(ROOT, { name: 'tour', dimensions: 2 }, token)).json).toMatchObject({
        counts: { points: 0 },
        space: { dimensions: 2 },
      });
    });

    it.each([
      [{ name: 'Upper', dimensions: 3 }, 400],
      [{ name: '~x', dimensions: 3 }, 400],
      [{ name: 'plain', dimensions: 3 }, 409],
      [{ name: 'n', dimensions: 0 }, 400],
      [{ name: 'n', dimensions: 2001 }, 422],
      [{ name: 'n', dimensions: 4097 }, 400],
      [{ name: 'n', dimensions: 3, model: 'all-minilm-l6-v2' }, 400],
      [{ name: 'n', model: 'nobody-has-this' }, 400],
      [{ name: 'n', dimensions: 3, store: 'qdrant' }, 422],
      [{ name: 'n', dimensions: 3, metric: 'hamming' }, 400],
      [{ name: 'n', dimensions: 3, colour: 'red' }, 400],
    ])('are refused when they are %j', async (body, status) => {
      expect((await api.post(ROOT, body, token)).status).toBe(status);
    });

    it('of vectors that users bring take no documents', async () => {
      const refused = await api.post('/api/v1/documents', { collection: 'plain', name: 'a.txt', text: 'Words.' }, token);
      expect([refused.status, refused.json.code]).toEqual([422, 'unprocessable']);
      expect((await api.get('/api/v1/documents?collection=plain', token)).json.data).toEqual([]);
    });

    it('keep default, and answer 404 for what is not there or not of this workspace', async () => {
      expect((await api.delete(`${ROOT}/default`, token)).status).toBe(409);
      const stranger = (await api.register('stranger@example.org')).accessToken;
      for (const name of ['plain', 'nothing', '~', 'Ü'])
        expect((await api.get(`${ROOT}/${encodeURIComponent(name)}`, name === 'plain' ? stranger : token)).status).toBe(404);
    });
  });

  describe('points', () => {
    it('are searchable when they are written, replaced whole, and answered in the order of the batch', async () => {
      await fresh('written');
      const first = await put('written', [
        { id: 'b', vector: [1, 0, 0], metadata: { colour: 'red', size: 1 } },
        { id: 'a', vector: [0, 1, 0], text: 'Words of a point' },
        { vector: [0, 0, 1] },
      ]);
      expect(first.json).toMatchObject({ upserted: 3, ids: ['b', 'a', expect.stringMatching(/^[0-9a-f-]{36}$/)] });
      const found = await search('written', { vector: [1, 0, 0], limit: 1, include: ['vector', 'metadata'] });
      expect(found.json).toEqual({
        data: [{ id: 'b', score: 1, vector: [1, 0, 0], metadata: { colour: 'red', size: 1 } }],
        took_ms: expect.any(Number),
        mode: 'vector',
      });
      await put('written', [{ id: 'b', vector: [0, 0, 2] }]);
      const point = (await api.get(`${ROOT}/written/points/b`, token)).json;
      expect(point).toMatchObject({ id: 'b', vector: [0, 0, 2], metadata: {} });
      expect(ids(await search('written', { vector: [0, 0, 1], limit: 2 }))).toContain('b');
      expect((await api.post(`${ROOT}/written/points/count`, {}, token)).json).toEqual({ count: 3 });
    });

    it.each([
      'get',
      'scroll',
      'count',
      'delete',
      'a/b',
      'ü 名',
      '%',
      '?x=1#y',
      '"; DROP TABLE points; --',
      'x'.repeat(200),
      '👍'.repeat(200),
    ])('may be called %s', async (id) => {
      await put('plain', [{ id, vector: [1, 2, 3], metadata: { n: 1 } }]);
      const path = `${ROOT}/plain/points/${encodeURIComponent(id)}`;
      expect((await api.get(path, token)).json.id).toBe(id);
      const merged = await api.request(path, { method: 'PATCH', token, body: { metadata: { m: true } } });
      expect(merged.json.metadata).toEqual({ n: 1, m: true });
      expect((await api.delete(path, token)).status).toBe(204);
      expect((await api.get(path, token)).status).toBe(404);
    });

    it('of two collections with one space and one id do not touch', async () => {
      await fresh('left');
      await fresh('right');
      await put('left', [{ id: 'same', vector: [1, 0, 0] }]);
      await put('right', [{ id: 'same', vector: [0, 1, 0] }]);
      expect((await search('left', { vector: [1, 0, 0] })).json).toMatchObject({ data: [{ id: 'same', score: 1 }] });
      expect((await search('right', { vector: [1, 0, 0] })).json).toMatchObject({ data: [{ id: 'same', score: 0 }] });
    });

    it('come as base64 of float32 too', async () => {
      await fresh('based');
      const base64 = Buffer.from(new Float32Array([0.1, -2.5, 1e-40]).buffer).toString('base64');
      expect((await put('based', [{ id: 'x', vector: base64 }])).status).toBe(200);
      expect((await api.get(`${ROOT}/based/points/x`, token)).json.vector).toEqual([...new Float32Array([0.1, -2.5, 1e-40])]);
      const single = await fresh('single', { dimensions: 1 });
      expect((await put(single, [{ vector: 'AACAPw==' }])).status).toBe(200);
      // The same four bytes with two bits that belong to none.
      expect((await put(single, [{ vector: 'AACAPx==' }])).status).toBe(422);
    });

    it.each<[string, unknown]>([
      ['too short', [1, 2]],
      ['too long', [1, 2, 3, 4]],
      ['empty', []],
      ['zero', [0, 0, 0]],
      ['zero in float32', [1e-50, 0, 0]],
      ['not a number', [1, null, 3]],
      ['text', [1, '2', 3]],
      ['beyond float32', [1, 2, 3.5e38]],
      ['no base64', '!!!!'],
      ['base64 without padding', 'AACAPwAAAEAAAEBA='],
      ['base64 with bits left over', 'AB=='],
      ['base64 of NaN', Buffer.from(new Float32Array([1, Number.NaN, 1]).buffer).toString('base64')],
      ['base64 of half a number', Buffer.alloc(13).toString('base64')],
    ])('with a bad vector (%s) answer 422 naming the point, and nothing of the batch is written', async (_what, vector) => {
      const name = 'plain';
      const before = (await api.post(`${ROOT}/${name}/points/count`, {}, token)).json;
      const answer = await put(name, [
        { id: 'good', vector: [1, 2, 3] },
        { id: 'bad', vector },
      ]);
      expect([answer.status, answer.text]).toEqual([422, expect.stringContaining('points[1].vector')]);
      expect((await api.post(`${ROOT}/${name}/points/count`, {}, token)).json).toEqual(before);
      expect((await search(name, { vector })).status).toBe(422);
    });

    it.each<[string, unknown, number]>([
      ['metadata.a: null', { a: null }, 422],
      ['nested', { a: { b: 1 } }, 422],
      ['array of numbers', { a: [1] }, 422],
      ['field name', { '1a': 1 }, 422],
      ['too many', Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`f${n}`, n])), 422],
      ['not an object', [1], 422],
      ['U+0000', { a: 'x\0' }, 422],
      ['half a pair', { a: '\ud800' }, 422],
    ])('with bad metadata (%s) are refused', async (_what, metadata, status) => {
      expect((await put('plain', [{ id: 'm', vector: [1, 2, 3], metadata }])).status).toBe(status);
    });

    it.each(['__proto__', 'constructor', 'prototype'])('with metadata called %s answer 422', async (field) => {
      const body = `{"points":[{"id":"p","vector":[1,2,3],"metadata":{"${field}":"x"}}]}`;
      const response = await fetch(`${api.url}${ROOT}/plain/points`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body,
      });
      expect(response.status).toBe(422);
    });

    it.each<[string, unknown[], number]>([
      ['no points', [], 400],
      ['too many points', Array.from({ length: 1001 }, () => ({ vector: [1, 2, 3] })), 400],
      ['no content', [{ id: 'x' }], 400],
      ['an unknown field', [{ id: 'x', vector: [1, 2, 3], colour: 1 }], 400],
      ['a text without a model', [{ id: 'x', text: 'words' }], 422],
      [
        'one id twice',
        [
          { id: 'x', vector: [1, 2, 3] },
          { id: 'x', vector: [1, 2, 3] },
        ],
        422,
      ],
      ['a long id', [{ id: 'x'.repeat(201), vector: [1, 2, 3] }], 422],
    ])('are refused: %s', async (_what, points, status) => {
      expect((await put('plain', points)).status).toBe(status);
    });

    it.each([7, 300])('come in the bulk format too, %i of them', async (count) => {
      const name = await fresh(`bulk-${count}`, { dimensions: 64 });
      const vectors = Array.from({ length: count }, (_, n) => new Float32Array(64).map((__, at) => Math.sin(n * 64 + at)));
      const names = vectors.map((_, n) => `row ${n}`);
      const metadata = vectors.map((_, n) => ({ n, text: 'm'.repeat(count * 4) }));
      const answer = await bulk(name, frame({ ids: names, dimensions: 64, metadata }, vectors));
      expect([answer.status, await answer.json()]).toEqual([200, { upserted: count, ids: names }]);
      const last = await api.get(`${ROOT}/${name}/points/${encodeURIComponent(`row ${count - 1}`)}`, token);
      expect(last.json).toMatchObject({ vector: [...(vectors.at(-1) ?? [])], metadata: { n: count - 1 } });
    });

    it('in a broken bulk body are refused', async () => {
      const name = await fresh('broken', { dimensions: 2 });
      const row = new Float32Array([1, 2]);
      const cases: Array<[string, Buffer, number]> = [
        ['no length', Buffer.from([1, 2]), 400],
        ['a length beyond the end', Buffer.from([255, 255, 255, 127, 123, 125]), 400],
        ['no JSON', frame('x' as unknown as object, [row], '{'), 400],
        ['an unknown member', frame({ ids: ['a'], dimensions: 2, colour: 1 }, [row]), 400],
        ['metadata of others', frame({ ids: ['a'], dimensions: 2, metadata: [{}, {}] }, [row]), 400],
        ['too few rows', frame({ ids: ['a', 'b'], dimensions: 2 }, [row]), 422],
        ['too many bytes', Buffer.concat([frame({ ids: ['a'], dimensions: 2 }, [row]), Buffer.alloc(1)]), 422],
        ['another length', frame({ ids: ['a'], dimensions: 1 }, [new Float32Array([1])]), 422],
        ['NaN', frame({ ids: ['a'], dimensions: 2 }, [new Float32Array([1, Number.NaN])]), 422],
        ['zero', frame({ ids: ['a'], dimensions: 2 }, [new Float32Array(2)]), 422],
      ];
      for (const [what, body, status] of cases) expect([what, (await bulk(name, body)).status]).toEqual([what, status]);
      expect((await api.post(`${ROOT}/${name}/points/count`, {}, token)).json).toEqual({ count: 0 });
    });

    it('in a large body are read beside the event loop, with every rule', async () => {
      const name = await fresh('large', { dimensions: 300 });
      const points = Array.from({ length: 400 }, (_, n) => ({
        id: `p${n}`,
        vector: Array.from({ length: 300 }, (__, at) => Math.cos(n + at)),
      }));
      expect(JSON.stringify(points).length).toBeGreaterThan(2 ** 20);
      expect((await put(name, points)).json).toMatchObject({ upserted: 400 });
      const read = (await api.get(`${ROOT}/${name}/points/p399`, token)).json;
      expect(read.vector).toEqual([...new Float32Array(points[399]?.vector ?? [])]);
      const bad = (change: object): unknown[] => points.map((point, n) => (n === 399 ? { ...point, ...change } : point));
      expect((await put(name, bad({ vector: [...(points[0]?.vector ?? []).slice(1), 1e39] }))).status).toBe(422);
      expect((await put(name, bad({ metadata: { a: 'x\0' } }))).text).toContain('points[399].metadata.a');
      expect((await put(name, bad({ colour: 1 }))).status).toBe(400);
    });

    it('beyond the limits of a body answer 413 before it is read, and other routes keep theirs', async () => {
      const sized = (path: string, method: string, type: string, bytes: number) =>
        new Promise<number>((resolve, reject) => {
          const headers = { authorization: `Bearer ${token}`, 'content-type': type, 'content-length': bytes };
          const request = httpRequest(`${api.url}${path}`, { method, headers }, (response) => {
            resolve(response.statusCode ?? 0);
            // Its body never comes.
            request.destroy();
          });
          request.once('error', reject);
          request.flushHeaders();
        });
      const points = `${ROOT}/plain/points`;
      expect(await sized(points, 'PUT', 'application/json', 32 * 2 ** 20 + 1)).toBe(413);
      expect(await sized(points, 'PUT', 'application/octet-stream', 64 * 2 ** 20 + 1)).toBe(413);
      expect(await sized(ROOT, 'POST', 'application/json', 2 ** 20 + 1)).toBe(413);
      expect(await sized(ROOT, 'POST', 'application/octet-stream', 10)).toBe(415);
      expect(await sized(points, 'PUT', 'text/plain', 10)).toBe(415);
    });

    it('are changed and deleted under If-Match only as they were read', async () => {
      await put('plain', [{ id: 'tagged', vector: [1, 2, 3] }]);
      const path = `${ROOT}/plain/points/tagged`;
      const etag = (await api.get(path, token)).headers.get('etag') ?? '';
      await put('plain', [{ id: 'tagged', vector: [3, 2, 1] }]);
      const headers = { 'if-match': etag };
      expect((await api.request(path, { method: 'PATCH', token, headers, body: { metadata: { a: 1 } } })).status).toBe(412);
      expect((await api.request(path, { method: 'DELETE', token, headers })).status).toBe(412);
      expect((await api.get(path, token)).json).toMatchObject({ vector: [3, 2, 1], metadata: {} });
    });

    it('are read by ids, paged in byte order, scrolled, counted and deleted by filter', async () => {
      await fresh('many');
      const names = ['z', 'B', 'a', 'é', '名', '👍', 'a1', 'A'];
      await put(
        'many',
        names.map((id, n) => ({ id, vector: [1, n, 1], metadata: { n, even: n % 2 === 0, tags: [`t${n % 3}`] } })),
      );
      const ordered = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const points = `${ROOT}/many/points`;
      expect(ids(await api.post(`${points}/get`, { ids: ['z', 'nobody', 'A', 'z'] }, token))).toEqual(['z', 'A']);
      const walked: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = (await api.post(`${points}/scroll`, { limit: 3, ...(after === undefined ? {} : { after }) }, token)).json;
        walked.push(...(page.data as unknown as { id: string }[]).map((each) => each.id));
        if (!page.has_more) break;
        after = page.last_id as unknown as string;
      }
      expect(walked).toEqual(ordered);
      expect(ids(await api.get(`${points}?order=asc&limit=2&after=${encodeURIComponent('a')}`, token))).toEqual(['a1', 'z']);
      expect(ids(await api.get(`${points}?limit=2`, token))).toEqual(ordered.slice(-2).reverse());
      expect((await api.post(`${points}/count`, { filter: { n: { $gte: 2, $lt: 5 } } }, token)).json).toEqual({ count: 3 });
      expect((await api.post(`${points}/count`, { filter: { tags: 't1' } }, token)).json).toEqual({ count: 3 });
      expect((await api.post(`${points}/delete`, { filter: {} }, token)).status).toBe(422);
      expect((await api.post(`${points}/delete`, {}, token)).status).toBe(422);
      expect((await api.post(`${points}/delete`, { filter: { even: false } }, token)).json).toEqual({ deleted: 4 });
      expect((await api.post(`${points}/delete`, { ids: ['z', 'nobody'] }, token)).json).toEqual({ deleted: 1 });
      expect((await api.post(`${points}/count`, {}, token)).json).toEqual({ count: 3 });
      expect(ids(await search('many', { vector: [1, 1, 1], limit: 50 })).length).toBe(3);
    });
  });

  describe('search', () => {
    it.each([
      ['plain', [3, 4, 0], [6, 8, 0], 1],
      ['far', [3, 4, 0], [0, 0, 0], -5],
      ['inner', [3, 4, 0], [2, 1, 0], 10],
    ])('scores in %s as the contract says', async (name, a, b, score) => {
      await put(name, [{ id: 'scored', vector: a }]);
      const [found] = (await search(name, { vector: b, limit: 200 })).json.data as unknown as { id: string; score: number }[];
      expect(found).toMatchObject({ id: 'scored', score });
      await api.delete(`${ROOT}/${name}/points/scored`, token);
    });

    it('orders ties by the bytes of the ids, however many there are', async () => {
      await fresh('ties');
      const names = Array.from({ length: 300 }, (_, n) => `p${(n * 7919) % 300}`);
      await put(
        'ties',
        names.map((id) => ({ id, vector: [1, 1, 1] })),
      );
      const ordered = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const exact of [true, false])
        expect(ids(await search('ties', { vector: [1, 1, 1], limit: 20, exact }))).toEqual(ordered.slice(0, 20));
    });

    it('orders by id what only float32 tells apart, however many there are', async () => {
      const name = await fresh('nearly', { dimensions: 3, metric: 'l2' });
      const names = Array.from({ length: 400 }, (_, n) => `p${String(n).padStart(3, '0')}`);
      // The higher the id, the nearer, by less than what a score shows.
      await put(
        name,
        names.map((id, n) => ({ id, vector: [1, (400 - n) * 1e-9, 0] })),
      );
      expect(ids(await search(name, { vector: [1, 0, 0], limit: 20, exact: true }))).toEqual(names.slice(0, 20));
    });

    it('with a filter finds as many as there are, however far', async () => {
      await fresh('filtered');
      const points = Array.from({ length: 400 }, (_, n) => ({ id: `p${n}`, vector: [1, n / 1000, 0], metadata: { rare: n >= 395 } }));
      await put('filtered', points);
      const answer = await search('filtered', { vector: [1, 0, 0], limit: 5, filter: { rare: true } });
      expect(ids(answer)).toEqual(['p395', 'p396', 'p397', 'p398', 'p399']);
      expect(ids(await search('filtered', { vector: [1, 0, 0], filter: { rare: true }, min_score: 0.928 }))).toEqual(
        ['p395', 'p396', 'p397', 'p398', 'p399'].filter((id) => 1 / Math.hypot(1, Number(id.slice(1)) / 1000) >= 0.928),
      );
    });

    it('by words finds only points with a text, whatever the language', async () => {
      await fresh('worded');
      await put('worded', [
        { id: 'none', vector: [1, 0, 0] },
        { id: 'en', vector: [0, 1, 0], text: 'The harbour closes in winter.' },
        { id: 'de', vector: [0, 0, 1], text: 'Der Hafen schließt im Winter, sagt die Verwaltung der Stadt.', metadata: { keep: true } },
      ]);
      const found = await search('worded', { text: 'harbours', mode: 'text' });
      expect([ids(found), found.json.mode]).toEqual([['en'], 'text']);
      expect(ids(await search('worded', { text: 'winter' }))).toEqual(expect.arrayContaining(['en', 'de']));
      expect(ids(await search('worded', { text: 'winter', filter: { keep: true } }))).toEqual(['de']);
      const both = await search('worded', { text: 'harbour', vector: [0, 1, 0] });
      expect(both.json).toMatchObject({
        mode: 'hybrid',
        data: [{ id: 'en', score: 1, scores: { vector: 1, text: expect.any(Number) } }, {}, {}],
      });
    });

    it.each<[object, number]>([
      [{}, 400],
      [{ text: 'x', mode: 'vector' }, 400],
      [{ text: 'x', mode: 'hybrid' }, 400],
      [{ vector: [1, 2, 3], mode: 'text' }, 400],
      [{ text: 'x', mode: 'text', min_score: 0.5 }, 400],
      [{ vector: [1, 2, 3], limit: 201 }, 400],
      [{ vector: [1, 2, 3], filter: { $and: [] } }, 400],
      [{ vector: [1, 2, 3], filter: { a: { $gt: true } } }, 422],
      [{ vector: [1, 2, 3], filter: { a: { $regex: 'x' } } }, 400],
      [{ vector: [1, 2, 3], filter: { a: null } }, 400],
    ])('refuses %j', async (body, status) => {
      expect((await search('plain', body)).status).toBe(status);
    });
  });

  it('names the stores', async () => {
    const { status, json } = await api.get('/api/v1/vectors/stores', token);
    expect([status, json.data]).toEqual([
      200,
      [
        expect.objectContaining({ name: 'pgvector', status: 'up', location: 'embedded', default: true }),
        ...['chroma', 'qdrant', 'faiss'].map((name) => expect.objectContaining({ name, status: 'disabled' })),
      ],
    ]);
  });
});

function ids(answer: ApiAnswer): string[] {
  if (answer.status !== 200) throw new Error(answer.text);
  return (answer.json.data as unknown as { id: string }[]).map((each) => each.id);
}

/** The bulk format; `header` as text when it shall be no JSON. */
function frame(header: object, rows: Float32Array[], text = JSON.stringify(header)): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text), ...rows.map((row) => Buffer.from(row.buffer))]);
}
