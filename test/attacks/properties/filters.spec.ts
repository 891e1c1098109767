import fc from 'fast-check';
import { parseFilter, type Collection } from '@features/vectors';
import { AppError } from '@kernel/errors';
import { describeDatabases } from '../../support/databases';
import { TestVectors } from '../../support/vectors';

/** Names that mean something to a database, to an object or to another filter language. */
const HOSTILE = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '$where',
  '$nor',
  '$expr',
  '$regex',
  '$or ',
  '$AND',
  '$',
  '',
  "a' OR '1'='1",
  "a') OR TRUE --",
  'a"',
  'a->>b',
  'a::text',
  'a;',
  'a\u0000',
  'a\n',
  'workspace_id',
  'collection_id',
  'metadata',
  '*',
  '%',
  '_',
  'a..b',
  '.a',
  'a[0]',
  '$.a',
  'a b',
  'ａ',
  'а',
  '\u202ea',
  'a'.repeat(65),
];
const hostileKey = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 70 }));
const hostileValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom("' OR 1=1 --", '%', '_', '\\', '$1', '{}', '[]', '1e400', "'::text", '\u0000', null),
);
/** What no field of any point has: a filter over it selects nobody, or everybody by its negation. */
const points = [
  { id: 'a', vector: [1, 0], metadata: { kind: 'note', rank: 1 } },
  { id: 'b', vector: [0, 1], metadata: { kind: 'note', rank: 2 } },
  { id: 'c', vector: [1, 1], metadata: { kind: 'book', rank: 3 } },
];
const narrow = { kind: 'note' };

/** As it arrives: an own key, also where it is called `__proto__`. */
const object = (key: string, value: unknown): object =>
  Object.defineProperty({}, key, { value, enumerable: true, configurable: true, writable: true }) as object;

function parsed(filter: unknown): ReturnType<typeof parseFilter> | undefined {
  try {
    return parseFilter(filter);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect(['invalid', 'unprocessable']).toContain((error as AppError).code);
    return undefined;
  }
}

describe('J13 filters', () => {
  it('J13 with hostile keys are refused by a sentence, or become a condition on just that field', () => {
    fc.assert(
      fc.property(hostileKey, hostileValue, (key, value) => {
        const tree = parsed(object(key, value));
        if (tree === undefined || key === '$and' || key === '$or' || key === '$not') return;
        const fields = [...JSON.stringify(tree).matchAll(/"field":("(?:[^"\\]|\\.)*")/g)].map(
          ([, name]) => JSON.parse(name ?? '""') as string,
        );
        expect(new Set(fields)).toEqual(new Set([key]));
        expect(key).toMatch(/^[A-Za-z_][\w.]{0,63}$/);
      }),
      { numRuns: 3000 },
    );
  });

  it.each(HOSTILE.filter((key) => !/^[A-Za-z_][\w.]{0,63}$/.test(key)))('J13 refuse the key %j', (key) => {
    expect(parsed(object(key, 'x'))).toBeUndefined();
    expect(parsed({ $and: [narrow, object(key, 'x')] })).toBeUndefined();
  });
});

describeDatabases('J13 in the store', (kind) => {
  let vectors: TestVectors;
  let mine: Collection;
  let theirs: Collection;
  beforeAll(async () => {
    vectors = await TestVectors.open(kind);
    mine = await vectors.make({ name: 'mine', dimensions: 2 });
    theirs = await vectors.make({ name: 'theirs', dimensions: 2 });
    await vectors.put(mine, points);
    await vectors.put(theirs, [{ id: 'secret', vector: [1, 0], metadata: { kind: 'note', rank: 9 } }]);
  });
  afterAll(() => vectors.close());

  it('J13 nothing that stands beside a condition widens it, and nothing leads out of the collection', async () => {
    await fc.assert(
      fc.asyncProperty(hostileKey, hostileValue, async (key, value) => {
        // Such text is refused before it becomes a filter: see the parser of bodies.
        fc.pre(!/\\u(?:0000|d[89a-f])/.test(JSON.stringify(value)));
        const filter = parsed({ $and: [narrow, object(key, value)] });
        if (filter === undefined) return;
        const { data } = await vectors.userPoints.page(mine, { filter }, { limit: 100, order: 'asc' });
        expect(['a', 'b']).toEqual(expect.arrayContaining(data.map(({ id }) => id)));
        expect(await vectors.userPoints.count(mine, { filter })).toBe(data.length);
      }),
      { numRuns: 300 },
    );
  });

  it('J13 what is said in the value is compared and never read as anything else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...HOSTILE)), async (text) => {
        fc.pre(text.isWellFormed() && !text.includes('\0') && text !== 'note' && text !== 'book');
        expect(await vectors.userPoints.count(mine, { filter: parseFilter({ kind: text }) })).toBe(0);
        expect(await vectors.userPoints.count(mine, { filter: parseFilter({ kind: { $ne: text } }) })).toBe(3);
      }),
      { numRuns: 150 },
    );
  });
});
