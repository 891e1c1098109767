import fc from 'fast-check';
import { startApi, type Registered, type TestApi } from '../support/api';
import { ChatBench } from '../support/chat';
import { DocumentsOf } from '../support/documents';
import { filter, metadata, satisfies, type Metadata } from '../support/filters';
import { describeModels } from '../support/models';
import { until } from '../support/until';
import { CollectionOf, reachableStores, STORES, storeSettings } from '../support/vector-stores';

const present = reachableStores();
const ROOT = '/api/v1/vectors/collections';
/** A run over a shared server meets no collection of another. */
const run = `c${Date.now().toString(36)}`;

for (const store of Object.keys(STORES).filter((name) => !present.includes(name))) {
  if (process.env.REQUIRE_SERVICES === '1') it(`${store} is there`, () => expect(present).toContain(store));
  else it.skip(`${store}: no server at ${STORES[store]?.needs}`, () => undefined);
}

/** Numbers that look random and are the same every time. */
function numbers(count: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 1_073_741_824 - 1;
  });
}

describe('Every store answers alike', () => {
  let api: TestApi;
  let me: Registered;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000', ...storeSettings(present) } });
    me = await api.register();
  });
  afterAll(() => api?.close());

  /** One collection in each store. */
  const make = (name: string, more: object): Promise<CollectionOf[]> =>
    Promise.all(present.map((store) => CollectionOf.make(api, me.accessToken, { name: `${run}-${name}-${store}`, store, ...more })));
  /** The same from each, which is what all must give. */
  const same = async <T>(collections: CollectionOf[], work: (collection: CollectionOf) => Promise<T>): Promise<T> => {
    const [first, ...others] = await Promise.all(collections.map(work));
    for (const [index, other] of others.entries()) expect([present[index + 1], other]).toEqual([present[index + 1], first]);
    return first as T;
  };

  it('lists them as they are', async () => {
    type Listed = { name: string; status: string }[];
    let listed: Listed = [];
    // A store that was too busy for the first look is up at a later one.
    await until(async () => {
      listed = (await api.get('/api/v1/vectors/stores', me.accessToken)).json.data as unknown as Listed;
      return listed.every(({ status }) => status !== 'down');
    }, 30_000);
    expect(listed.map(({ name }) => name)).toEqual(['pgvector', 'chroma', 'qdrant', 'faiss']);
    for (const { name, status } of listed)
      if (present.includes(name)) expect([name, status]).toEqual([name, 'up']);
      // Without an address FAISS is a child of the API; the others are not there.
      else if (name !== 'faiss') expect([name, status]).toEqual([name, 'disabled']);
    for (const collection of await make('shown', { dimensions: 3 }))
      expect((await api.get(`${ROOT}/${collection.name}`, me.accessToken)).json).toMatchObject({ store: collection.name.split('-')[2] });
  });

  it.each([
    [{ dimensions: 3, store: 'oracle' }, 'store', '"oracle" is not connected'],
    [{ dimensions: 2_001, store: 'pgvector' }, 'dimensions', 'at most 2000'],
  ])('refuses %j, naming what is wrong', async (body, path, words) => {
    const { status, json } = await api.post(ROOT, { name: `${run}-no`, ...body }, me.accessToken);
    expect([status, json.errors]).toMatchObject([422, [{ path, message: expect.stringContaining(words) }]]);
  });

  it.each(['cosine', 'dot', 'l2'] as const)(
    'gives the same ids in the same order with exact, by %s, and the true scores',
    async (metric) => {
      const collections = await make(`exact-${metric}`, { dimensions: 8, metric });
      const vectors = Array.from({ length: 300 }, (_, n) => numbers(8, n + 1));
      // A few are equal: ties go by id.
      for (const n of [10, 20, 30]) vectors[n] = [...(vectors[0] ?? [])];
      const question = numbers(8, 4_711);
      for (const collection of collections)
        expect((await collection.put(vectors.map((vector, n) => ({ id: `p${n}`, vector })))).status).toBe(200);
      const found = await same(collections, (collection) => collection.found({ vector: question, exact: true, limit: 200 }));
      const [f32, q] = [vectors.map((vector) => [...Float32Array.from(vector)]), [...Float32Array.from(question)]];
      const expected = f32
        .map((vector, n) => ({ id: `p${n}`, score: scored(metric, q, vector) }))
        .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
        .slice(0, 200);
      expect(found.map(({ id, score }) => ({ id, score }))).toEqual(expected);
      const near = await same(collections, (collection) => collection.found({ vector: question, limit: 10 }));
      expect(near.map(({ id }) => id)).toEqual(expected.slice(0, 10).map(({ id }) => id));
      const least = expected[4]?.score ?? 0;
      expect(await same(collections, (collection) => collection.found({ vector: question, limit: 10, min_score: least }))).toHaveLength(5);
    },
  );

  it('finds the same points by the same filter, which are those that fit', async () => {
    const collections = await make('filtered', { dimensions: 2 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(metadata, { minLength: 1, maxLength: 40 }),
        fc.array(filter, { minLength: 6, maxLength: 6 }),
        async (all, filters) => {
          const points = all.map((each, n) => ({ id: `p${String(n).padStart(2, '0')}`, vector: [1, n], metadata: each }));
          for (const collection of collections) {
            await collection.post('delete', { filter: { no_such_field: { $exists: false } } });
            expect((await collection.put(points)).status).toBe(200);
          }
          for (const wanted of filters) {
            const fitting = points.filter((point) => satisfies(wanted, JSON.parse(JSON.stringify(point.metadata)) as Metadata));
            const found = await same(collections, (each) => each.found({ vector: [1, 0], limit: 40, filter: wanted, include: [] }));
            expect([wanted, found.map(({ id }) => id)]).toEqual([wanted, fitting.map(({ id }) => id)]);
          }
        },
      ),
      { numRuns: 5 },
    );
  });

  it('keeps filters right among more points than are compared one by one', async () => {
    const collections = await make('many', { dimensions: 4 });
    const points = Array.from({ length: 2_600 }, (_, n) => ({
      id: `p${n}`,
      vector: numbers(4, n + 1),
      metadata: { even: n % 2 === 0, rare: n % 500 === 0 },
    }));
    for (const collection of collections)
      for (let at = 0; at < points.length; at += 1_000) expect((await collection.put(points.slice(at, at + 1_000))).status).toBe(200);
    const question = numbers(4, 9);
    for (const wanted of [{ rare: false }, { even: true }, { rare: true }])
      await same(collections, async (each) => (await each.found({ vector: question, limit: 20, filter: wanted })).map(({ id }) => id));
  });

  it('takes vectors as numbers, base64 and bytes, replaces them whole, merges metadata and deletes', async () => {
    const collections = await make('forms', { dimensions: 2 });
    const bytes = (vector: number[]): Buffer => Buffer.from(Float32Array.from(vector).buffer);
    const header = Buffer.from(JSON.stringify({ ids: ['ü/3'], dimensions: 2, metadata: [{ kind: 'bytes' }] }));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(header.length);
    for (const collection of collections) {
      await collection.put([{ id: 'a b', vector: [1, 0], metadata: { kind: 'numbers', x: 1 } }]);
      await collection.put([{ id: '二', vector: bytes([0.6, 0.8]).toString('base64') }]);
      expect((await collection.bulk(Buffer.concat([length, header, bytes([0, 1])]))).status).toBe(200);
      expect(await collection.inStore()).toBe(3);
    }
    const first = await same(collections, (each) => each.found({ vector: [1, 0], limit: 5, include: ['vector', 'metadata'] }));
    expect(first.map(({ id, score }) => [id, score])).toEqual([
      ['a b', 1],
      ['二', 0.6],
      ['ü/3', 0],
    ]);
    for (const collection of collections) {
      await collection.put([{ id: 'a b', vector: [-1, 0], metadata: { kind: 'again' } }]);
      expect((await collection.merge('a%20b', { y: 2 })).status).toBe(200);
    }
    const second = await same(collections, (each) => each.found({ vector: [1, 0], limit: 5 }));
    expect(second.at(-1)).toMatchObject({ id: 'a b', score: -1, metadata: { kind: 'again', y: 2 } });
    for (const collection of collections) {
      expect((await collection.post('delete', { filter: { kind: { $in: ['again', 'bytes'] } } })).json).toEqual({ deleted: 2 });
      expect((await collection.found({ vector: [1, 0] })).map(({ id }) => id)).toEqual(['二']);
      await until(async () => (await collection.inStore()) === 1);
      expect((await collection.remove()).status).toBe(204);
    }
    await until(async () => (await collections[0]?.unheard()) === 0);
  });

  it('writes nothing of a batch with a bad vector', async () => {
    for (const collection of await make('bad', { dimensions: 2 })) {
      for (const bad of [[0, 0], [1], [1, 1e39], [], ['NaN', 1]]) {
        const answer = await collection.put([
          { id: 'good', vector: [1, 1] },
          { id: 'bad', vector: bad },
        ]);
        expect([bad, answer.status]).toEqual([bad, 422]);
        expect(answer.text).toContain('points[1].vector');
      }
      expect([await collection.found({ vector: [1, 1] }), await collection.inStore()]).toEqual([[], 0]);
    }
  });
});

describeModels('Texts in every store', () => {
  let api: TestApi;
  let me: Registered;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000', ...storeSettings(present) } });
    me = await api.register();
  });
  afterAll(() => api?.close());

  it.each(present)('%s: points with texts and a document are found, cited, and gone when they are deleted', async (store) => {
    const collection = await CollectionOf.make(api, me.accessToken, { name: `${run}-texts-${store}`, store });
    const texts = ['The lighthouse keeper winds the lamp at dusk.', 'Invoices are due within thirty days.', 'Cats sleep most of the day.'];
    expect((await collection.put(texts.map((text, n) => ({ id: `t${n}`, text })))).status).toBe(200);
    for (const mode of ['vector', 'text', 'hybrid'])
      expect([mode, (await collection.found({ text: 'When are invoices due?', mode, limit: 1 }))[0]?.id]).toEqual([mode, 't1']);
    const documents = new DocumentsOf(api, me);
    const added = await documents.upload('The pump in the harbour is number 4711 and was built in 1962 by Keller.', 'pump.txt', {
      collection: collection.name,
    });
    const document = await documents.ready(added);
    expect(await collection.inStore()).toBe(3 + document.chunks + 1);
    const passages = await api.post('/api/v1/search', { query: 'Who built the pump?', collections: [collection.name] }, me.accessToken);
    expect(passages.json.data).toMatchObject([{ document_id: document.id }]);
    const chat = await ChatBench.begin(api, me.accessToken, { collections: [collection.name] });
    const { answer } = await chat.ask('Which number has the pump in the harbour?');
    expect(answer).toMatchObject({ status: 'complete', citations: [{ document_id: document.id }] });
    expect((await api.delete(`/api/v1/documents/${document.id}`, me.accessToken)).status).toBe(204);
    await until(async () => (await collection.inStore()) === 3);
  });
});

function scored(metric: 'cosine' | 'dot' | 'l2', a: number[], b: number[]): number {
  const dot = a.reduce((sum, value, n) => sum + value * (b[n] ?? 0), 0);
  const norm = (vector: number[]): number => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  const distance = Math.sqrt(a.reduce((sum, value, n) => sum + (value - (b[n] ?? 0)) ** 2, 0));
  const score = metric === 'cosine' ? dot / (norm(a) * norm(b)) : metric === 'dot' ? dot : -distance;
  return Math.round(score * 1e6) / 1e6 + 0;
}
