import fc from 'fast-check';
import { parseFilter, type Collection } from '@features/vectors';
import { describeDatabases } from '../support/databases';
import { filter, metadata, satisfies, type Metadata } from '../support/filters';
import { TestVectors } from '../support/vectors';

describeDatabases('Filters', (kind) => {
  let vectors: TestVectors;
  let collection: Collection;
  beforeAll(async () => {
    vectors = await TestVectors.open(kind);
    collection = await vectors.make({ name: 'filtered', dimensions: 2 });
  });
  afterAll(() => vectors.close());

  it('mean in every database what the contract says, alone and within a search', async () => {
    const signal = new AbortController().signal;
    await fc.assert(
      fc.asyncProperty(
        fc.array(metadata, { minLength: 1, maxLength: 30 }),
        fc.array(filter, { minLength: 8, maxLength: 8 }),
        async (points, filters) => {
          await vectors.userPoints.deleteAll(collection, { filter: parseFilter({}) });
          await vectors.put(
            collection,
            points.map((each, n) => ({ id: `p${String(n).padStart(2, '0')}`, vector: [1, n], metadata: each })),
          );
          for (const wanted of filters) {
            const expected = points.flatMap((each, n) => (satisfies(wanted, normal(each)) ? [`p${String(n).padStart(2, '0')}`] : []));
            const parsed = parseFilter(wanted);
            const page = await vectors.userPoints.page(collection, { filter: parsed }, { limit: 100, order: 'asc' });
            expect([wanted, page.data.map((point) => point.id)]).toEqual([wanted, expected]);
            expect(await vectors.userPoints.count(collection, { filter: parsed })).toBe(expected.length);
            const { found } = await vectors.pointSearch.search(
              collection,
              { vector: [1, 0], limit: 3, filter: parsed },
              vectors.account,
              signal,
            );
            expect(found.map(({ point }) => point.id)).toEqual(expected.slice(0, 3));
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it.each<[unknown, string, string]>([
    [[], 'invalid', 'filter'],
    ['x', 'invalid', 'filter'],
    [{ $and: [] }, 'invalid', 'filter.$and'],
    [{ $or: {} }, 'invalid', 'filter.$or'],
    [{ $not: {} }, 'invalid', 'filter.$not'],
    [{ $nor: [{}] }, 'invalid', 'filter.$nor'],
    [{ $eq: 1 }, 'invalid', 'filter.$eq'],
    [{ a: {} }, 'invalid', 'filter.a'],
    [{ a: { $not: {} } }, 'invalid', 'filter.a.$not'],
    [{ a: null }, 'invalid', 'filter.a'],
    [{ a: ['x'] }, 'invalid', 'filter.a'],
    [{ a: { $in: 'x' } }, 'invalid', 'filter.a.$in'],
    [{ a: { $in: [null] } }, 'invalid', 'filter.a.$in[0]'],
    [{ a: { $exists: 1 } }, 'invalid', 'filter.a.$exists'],
    [{ a: { $eq: { b: 1 } } }, 'invalid', 'filter.a.$eq'],
    [{ a: { toString: 1 } }, 'invalid', 'filter.a.toString'],
    [{ '1a': 1 }, 'invalid', 'filter'],
    [{ [`a${'b'.repeat(64)}`]: 1 }, 'invalid', 'filter'],
    [{ a: { $gt: true } }, 'unprocessable', 'filter.a.$gt'],
    [{ a: { $lt: 'tomorrow' } }, 'unprocessable', 'filter.a.$lt'],
    [{ a: { $lt: '2023-02-29T00:00:00Z' } }, 'unprocessable', 'filter.a.$lt'],
    [{ $or: Array.from({ length: 300 }, () => ({ a: 1 })) }, 'invalid', 'filter'],
    [{ a: { $in: Array.from({ length: 1001 }, (_, n) => n) } }, 'invalid', 'filter.a.$in'],
    [nested(17), 'invalid', `filter${'.$not'.repeat(16)}`],
  ])('refuse %j', (wanted, code, path) => {
    const refused = (): unknown => parseFilter(wanted);
    expect(refused).toThrow(expect.objectContaining({ code, errors: [expect.objectContaining({ path: expect.stringContaining(path) })] }));
  });

  function nested(depth: number): unknown {
    return depth === 0 ? { a: 1 } : { $not: nested(depth - 1) };
  }
});

/** As it is after its way through JSON, which knows no -0. */
function normal(value: Metadata): Metadata {
  return JSON.parse(JSON.stringify(value)) as Metadata;
}
