import fc from 'fast-check';
import { raw, sql } from '@backing/postgres';
import { parseFilter, type Collection, type PointQuestion } from '@features/vectors';
import type { Metric } from '@kernel/vectors';
import { describeDatabases } from '../support/databases';
import { TestVectors } from '../support/vectors';

const EVERYTHING = parseFilter({});

describeDatabases('Points of users', (kind) => {
  let vectors: TestVectors;
  beforeAll(async () => {
    vectors = await TestVectors.open(kind);
  });
  afterAll(() => vectors.close());

  const search = async (collection: Collection, question: Partial<PointQuestion>) => {
    const asked = { limit: 10, filter: EVERYTHING, ...question };
    return (await vectors.pointSearch.search(collection, asked, vectors.account, new AbortController().signal)).found;
  };

  it.each<Metric>(['cosine', 'dot', 'l2'])('are found in the order of a naive computation in float64 (%s)', async (metric) => {
    const collection = await vectors.make({ name: `naive-${metric}`, dimensions: 3, metric });
    const component = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.float({ min: -1, max: 1, noNaN: true }));
    const vector = fc.array(component, { minLength: 3, maxLength: 3 }).filter((each) => each.some((x) => Math.abs(x) > 1e-3));
    await fc.assert(
      fc.asyncProperty(fc.array(vector, { minLength: 1, maxLength: 120 }), vector, fc.boolean(), async (given, question, exact) => {
        await vectors.userPoints.deleteAll(collection, { filter: EVERYTHING });
        await vectors.put(
          collection,
          given.map((each, n) => ({ id: `${n % 7}-é${n}`, vector: each })),
        );
        const expected = given
          .map((each, n) => ({ id: `${n % 7}-é${n}`, score: naive(metric, question, each) }))
          .sort((a, b) => b.score - a.score || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)))
          .slice(0, 10);
        const found = await search(collection, { vector: question, exact });
        expect(found.map(({ point, score }) => ({ id: point.id, score }))).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });

  it('of one batch are seen together or not at all', async () => {
    const collection = await vectors.make({ name: 'together', dimensions: 3 });
    const batch = (round: number) => Array.from({ length: 500 }, (_, n) => ({ id: `p${n}`, vector: [1, n, round], metadata: { round } }));
    await vectors.put(collection, batch(0));
    let writing = true;
    const seen = new Set<number>();
    const reader = (async () => {
      while (writing) {
        const counts = [0, 1, 2].map((round) => vectors.userPoints.count(collection, { filter: parseFilter({ round }) }));
        for (const count of await Promise.all(counts)) seen.add(count);
      }
    })();
    for (const round of [1, 2]) await vectors.put(collection, batch(round));
    writing = false;
    await reader;
    expect([...seen].filter((count) => count !== 0 && count !== 500)).toEqual([]);
    expect(await vectors.userPoints.count(collection, { filter: parseFilter({ round: 2 }) })).toBe(500);
    expect(await vectors.store.count(collection.space!, collection.id)).toBe(500);
  });

  it.each([
    ['a deadlock', 'deadlock', "ERRCODE = '40P01'"],
    ['a duplicate in the other index', 'duplicate', "ERRCODE = '23505', CONSTRAINT = 'points_physical_id_key'"],
  ])('are written again after %s, which the database makes of new ids that meet', async (_, name, fault) => {
    const collection = await vectors.make({ name, dimensions: 2 });
    // What a sequence gave out stays given out when a statement is undone: the third try is let through.
    await vectors.client.query(sql`CREATE SEQUENCE meetings`);
    await vectors.client.query(
      raw(`CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.id = 'second' AND nextval('meetings') < 3 THEN RAISE EXCEPTION USING ${fault}; END IF; RETURN NEW; END $$`),
    );
    await vectors.client.query(sql`CREATE TRIGGER meet BEFORE INSERT ON points FOR EACH ROW EXECUTE FUNCTION meet()`);
    try {
      await vectors.put(
        collection,
        ['first', 'second', 'third'].map((id) => ({ id, vector: [1, 0] })),
      );
      expect(await vectors.userPoints.count(collection, {})).toBe(3);
      expect(await vectors.client.query(sql`SELECT last_value::int AS tries FROM meetings`)).toEqual([{ tries: 3 }]);
    } finally {
      await vectors.client.query(sql`DROP TRIGGER meet ON points`);
      await vectors.client.query(sql`DROP FUNCTION meet`);
      await vectors.client.query(sql`DROP SEQUENCE meetings`);
    }
  });

  it('written by several at once in different orders all arrive', async () => {
    const collection = await vectors.make({ name: 'crossing', dimensions: 2 });
    const ids = Array.from({ length: 200 }, (_, n) => `p${n}`);
    await Promise.all(
      Array.from({ length: 8 }, (_, round) => {
        const order = round % 2 === 0 ? ids : [...ids].reverse();
        return vectors.put(
          collection,
          order.map((id) => ({ id, vector: [1, round], metadata: { round } })),
        );
      }),
    );
    expect(await vectors.userPoints.count(collection, {})).toBe(200);
    const [first] = await search(collection, { vector: [1, 0], limit: 1 });
    const ledger = await vectors.userPoints.get(collection, first?.point.id ?? '');
    expect(ledger.metadata).toEqual({ round: ledger.vector[1] });
  });

  it('that cannot be written leave nothing in ledger and store', async () => {
    const collection = await vectors.make({ name: 'nothing', dimensions: 2 });
    await vectors.client.query(sql`UPDATE collections SET name = ${`~${collection.id}`} WHERE id = ${collection.id}`);
    await expect(vectors.put(collection, [{ id: 'late', vector: [1, 1] }])).rejects.toMatchObject({ code: 'not_found' });
    expect(await vectors.store.count(collection.space!, collection.id)).toBe(0);
    expect(await vectors.userPoints.count(collection, {})).toBe(0);
  });

  it('weigh the words of a question by all texts of the collection, whatever the filter', async () => {
    const collection = await vectors.make({ name: 'weights', dimensions: 2 });
    const texts = (count: number, text: string, from = 0) =>
      Array.from({ length: count }, (_, n) => ({ id: `${text.slice(0, 3)}${n + from}`, vector: [1, 1], text, metadata: { n: n + from } }));
    await vectors.put(collection, [...texts(1, 'zebra crossing'), ...texts(5, 'common road')]);
    const rare = (await search(collection, { mode: 'text', text: 'zebra' }))[0]?.score ?? 0;
    const common = (await search(collection, { mode: 'text', text: 'road' }))[0]?.score ?? 0;
    expect(rare).toBeGreaterThan(common);
    const filtered = (await search(collection, { mode: 'text', text: 'zebra', filter: parseFilter({ n: 0 }) }))[0]?.score;
    expect(filtered).toBe(rare);
    await vectors.put(collection, texts(60, 'another road', 100));
    expect((await search(collection, { mode: 'text', text: 'zebra' }))[0]?.score).toBeGreaterThan(rare);
  });

  it('of a deleted collection leave ledger and store, and its name is free at once', async () => {
    const collection = await vectors.make({ name: 'gone', dimensions: 2 });
    const kept = await vectors.make({ name: 'kept', dimensions: 2 });
    const points = Array.from({ length: 700 }, (_, n) => ({ id: `p${n}`, vector: [1, n] }));
    for (const each of [collection, kept]) await vectors.put(each, points);
    await vectors.remains.bury(vectors.account.workspaceId, 'gone', undefined, async () => undefined);
    const again = await vectors.make({ name: 'gone', dimensions: 2 });
    expect(await vectors.userPoints.count(again, {})).toBe(0);
    await vectors.remains.sweep();
    expect(await vectors.client.query(sql`SELECT id FROM collections WHERE id = ${collection.id}`)).toEqual([]);
    expect(await vectors.store.count(collection.space!, collection.id)).toBe(0);
    expect(await vectors.store.count(kept.space!, kept.id)).toBe(700);
    expect(await vectors.userPoints.count(kept, {})).toBe(700);
  });
});

/** The contract's score of what float32 keeps of two vectors, rounded to 1e-6. */
function naive(metric: Metric, left: number[], right: number[]): number {
  const [a, b] = [left, right].map((each) => each.map(Math.fround)) as [number[], number[]];
  const dot = a.reduce((sum, x, n) => sum + x * (b[n] ?? 0), 0);
  const length = (each: number[]) => Math.sqrt(each.reduce((sum, x) => sum + x * x, 0));
  const distance = length(a.map((x, n) => x - (b[n] ?? 0)));
  const score = metric === 'cosine' ? dot / (length(a) * length(b)) : metric === 'dot' ? dot : -distance;
  return Math.round(score * 1e6) / 1e6 + 0;
}
