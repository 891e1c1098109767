import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outgrown } from '../service/memory-watch';
import { FaissEngine } from './faiss-engine';
import type { FaissBinding, FlatIndex } from './native-binding';
import type { IndexedVector } from './records';
import type { VectorIndex } from './vector-index';

/** Ranks as FAISS does, so that the order of calls can be seen without the native part. */
class Flat implements FlatIndex {
  static calls: string[] = [];
  private readonly rows: number[][] = [];

  constructor(private readonly dimensions: number) {}

  ntotal(): number {
    return this.rows.length;
  }

  add(numbers: number[]): void {
    for (let at = 0; at < numbers.length; at += this.dimensions) this.rows.push(numbers.slice(at, at + this.dimensions));
  }

  search(query: number[], most: number): { distances: number[]; labels: number[] } {
    if (most < 1 || most > this.rows.length) throw new Error('This would end the process.');
    Flat.calls.push(`${most} of ${this.rows.length}`);
    const near = this.rows.map((row, label) => ({ label, distance: row.reduce((sum, number, at) => sum + number * (query[at] ?? 0), 0) }));
    near.sort((left, right) => right.distance - left.distance);
    return { distances: near.map(({ distance }) => distance).slice(0, most), labels: near.map(({ label }) => label).slice(0, most) };
  }
}

const binding: FaissBinding = { IndexFlatIP: Flat, IndexFlatL2: Flat };
const [A, B]: [string, string] = [randomUUID(), randomUUID()];
const shape = { dimensions: 2, metric: 'dot' as const };

describe('FaissEngine', () => {
  let directory: string;
  let engine: FaissEngine;
  let look: () => void;
  const warnings: string[] = [];
  const open = (snapshotBytes = 400): Promise<FaissEngine> =>
    FaissEngine.over(directory, { binding, onLost: fail, warn: (message) => void warnings.push(message), snapshotBytes });
  const files = (): string[] => readdirSync(join(directory, 'indexes', 'points')).sort();
  const vectors = (count: number, collectionId = A): IndexedVector[] =>
    Array.from({ length: count }, (_, at) => ({ id: randomUUID(), collectionId, vector: Float32Array.of(at + 1, 1) }));
  const idle = async (index: VectorIndex): Promise<void> => {
    while (index.work()) await new Promise(setImmediate);
  };
  const ids = (index: VectorIndex, collection = A): string[] =>
    index.search([collection], Float32Array.of(1, 0), 5_000).map(({ id }) => id);

  beforeEach(async () => {
    // Here only the tests say when a snapshot is due.
    const timer = { unref: () => timer } as NodeJS.Timeout;
    jest.spyOn(global, 'setInterval').mockImplementation((callback) => {
      look = callback;
      return timer;
    });
    warnings.length = 0;
    Flat.calls = [];
    directory = mkdtempSync(join(tmpdir(), 'sutazai-engine-'));
    engine = await open();
  });
  afterEach(async () => {
    await engine.close();
    jest.restoreAllMocks();
    rmSync(directory, { recursive: true, force: true });
  });

  it('puts a snapshot in the place of a long log, goes on in a new one, and reads both', async () => {
    const index = await engine.ensure('points', shape);
    const first = vectors(40);
    await index.upsert(first);
    expect(files()).toEqual(['log-0', 'shape.json']);
    rmSync(join(directory, 'indexes', 'points', 'snapshot-1.new'), { force: true });
    // The log must be longer than what the vectors themselves need.
    for (let round = 0; round < 12; round += 1) await index.upsert(first);
    await index.tend();
    expect(files()).toEqual(['log-1', 'shape.json', 'snapshot-1']);
    const later = vectors(3, B);
    await index.upsert(later);
    await index.delete([first[0]?.id ?? '']);
    await engine.close();
    engine = await open();
    const again = await engine.find('points');
    expect([again.size, again.count(A), again.count(B)]).toEqual([42, 39, 3]);
    expect(ids(again)).toEqual(
      first
        .slice(1)
        .reverse()
        .map(({ id }) => id),
    );
    expect(ids(again, B)).toEqual([...later].reverse().map(({ id }) => id));
  });

  it('answers for a snapshot that somebody else began only when it is whole', async () => {
    const index = await engine.ensure('points', shape);
    const first = vectors(300);
    for (let round = 0; round < 12; round += 1) await index.upsert(first);
    const [begun, second] = [index.tend(), index.tend()];
    await second;
    expect(files()).toEqual(['log-1', 'shape.json', 'snapshot-1']);
    await begun;
  });

  it('looks at its logs from time to time', async () => {
    const index = await engine.ensure('points', shape);
    const first = vectors(40);
    for (let round = 0; round < 12; round += 1) await index.upsert(first);
    look();
    await engine.close();
    expect(files()).toEqual(['log-1', 'shape.json', 'snapshot-1']);
  });

  it('keeps writes that come while the snapshot is written', async () => {
    const index = await engine.ensure('points', shape);
    const first = vectors(300);
    for (let round = 0; round < 12; round += 1) await index.upsert(first);
    const snapshot = index.tend();
    const meanwhile: IndexedVector[] = [];
    for (let round = 0; round < 10; round += 1) {
      const [vector] = vectors(1, B);
      if (vector === undefined) continue;
      meanwhile.push(vector);
      await index.upsert([vector]);
      await index.delete([first[round]?.id ?? '']);
      await index.upsert([{ id: first[299 - round]?.id ?? '', collectionId: B, vector: Float32Array.of(9, 9) }]);
    }
    await snapshot;
    await engine.close();
    engine = await open();
    const again = await engine.find('points');
    expect([again.count(A), again.count(B)]).toEqual([280, 20]);
    expect(ids(again, B)).toEqual(expect.arrayContaining(meanwhile.map(({ id }) => id)));
  });

  it('is whole again after a death at any point of a snapshot', async () => {
    const index = await engine.ensure('points', shape);
    const first = vectors(40);
    for (let round = 0; round < 12; round += 1) await index.upsert(first);
    await engine.close();
    // A draft, and a new log with nothing in it: the old log still counts.
    writeFileSync(join(directory, 'indexes', 'points', 'snapshot-1.new'), 'half');
    writeFileSync(join(directory, 'indexes', 'points', 'log-1'), '');
    engine = await open();
    expect((await engine.find('points')).count(A)).toBe(40);
    expect(files()).toEqual(['log-0', 'log-1', 'shape.json']);
  });

  it.each([
    ['a snapshot that is not whole', 'snapshot-1', (path: string) => truncateSync(path, 100)],
    ['a log that lacks its end, with another after it', 'log-1', (path: string) => truncateSync(path, 40)],
    ['a log that is gone', 'log-1', unlinkSync],
  ])('refuses %s, which no crash leaves behind', async (_, name, damage) => {
    const index = await engine.ensure('points', shape);
    const first = vectors(40);
    for (let round = 0; round < 12; round += 1) await index.upsert(first);
    await index.tend();
    await index.upsert(first);
    await engine.close();
    writeFileSync(join(directory, 'indexes', 'points', 'log-2'), '');
    damage(join(directory, 'indexes', 'points', name));
    engine = await open();
    await expect(engine.find('points')).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining(name) });
  });

  it('says what it dropped', async () => {
    const index = await engine.ensure('points', shape);
    await index.upsert(vectors(2));
    await engine.close();
    truncateSync(join(directory, 'indexes', 'points', 'log-0'), 60);
    engine = await open();
    expect((await engine.find('points')).size).toBe(0);
    expect(warnings).toEqual([expect.stringContaining('dropped')]);
  });

  it('asks FAISS for as many more as rows are dead, and lays the rows out anew when they are many', async () => {
    const index = await engine.ensure('points', shape);
    const all = vectors(1_000);
    await index.upsert(all);
    expect(ids(index)).toHaveLength(1_000);
    expect(Flat.calls).toEqual([]);
    await idle(index);
    await index.delete(all.slice(900).map(({ id }) => id));
    expect(index.search([A], Float32Array.of(1, 0), 3).map(({ id }) => id)).toEqual([899, 898, 897].map((at) => all[at]?.id));
    expect(Flat.calls).toEqual(['103 of 1000']);
    await index.delete(all.slice(500, 900).map(({ id }) => id));
    expect(index.tombstones).toBe(500);
    await idle(index);
    expect([index.tombstones, index.isWhole]).toEqual([0, true]);
    expect(index.search([A], Float32Array.of(1, 0), 1).map(({ id }) => id)).toEqual([all[499]?.id]);
    expect(Flat.calls.at(-1)).toBe('1 of 500');
    await index.delete(all.map(({ id }) => id));
    await idle(index);
    expect([index.size, index.tombstones, ids(index)]).toEqual([0, 0, []]);
  });

  it('drops an index with its files', async () => {
    await (await engine.ensure('points', shape)).upsert(vectors(3));
    await engine.drop('points');
    expect(readdirSync(join(directory, 'indexes'))).toEqual([]);
    await expect(engine.find('points')).rejects.toMatchObject({ code: 'not_found' });
    expect((await engine.ensure('points', { ...shape, dimensions: 3 })).size).toBe(0);
  });
});

it.each([
  [200, 0, false],
  [700, 0, true],
  [700, 100, false],
  [900, 100, true],
])('%i MB for %i MB of vectors is too much: %s', (resident, vectors, too) => {
  expect(outgrown(resident * 1_048_576, vectors * 1_048_576)).toBe(too);
});

function fail(error: unknown): never {
  throw error;
}
