import { randomUUID } from 'node:crypto';
import { FaissClient, FaissStore } from '@backing/faiss';
import { parseConfig } from '@kernel/config';
import type { EmbeddingSpace, Metric, StoredVector, VectorHit } from '@kernel/vectors';
import { loadScript } from '../scripts/load-script';

/** A store over a client of its own, as the application has it. */
export interface OwnStore {
  store: FaissStore;
  client: FaissClient;
  close(): Promise<void>;
}

export function faissStore(env: Record<string, string>): OwnStore {
  const client = new FaissClient(parseConfig({ LOG_LEVEL: 'silent', ...env }));
  return { client, store: new FaissStore(client), close: () => client.onApplicationShutdown() };
}

/** The native part, built once on this machine. */
export async function faissBinding(): Promise<string> {
  const { ensureFaiss } = await loadScript<{ ensureFaiss: () => Promise<string> }>('services/faiss.mjs');
  return ensureFaiss();
}

export function spaceOf(metric: Metric, dimensions: number): EmbeddingSpace {
  const id = randomUUID();
  return { id, store: 'faiss', model: null, dimensions, metric, version: 1, physicalName: `points_${id.replaceAll('-', '').slice(0, 20)}` };
}

/** Numbers that are the same in every run. */
export function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

export function pointsOf(count: number, dimensions: number, collections: readonly string[], next: () => number): StoredVector[] {
  return Array.from({ length: count }, (_, at) => ({
    physicalId: randomUUID(),
    collectionId: collections[at % collections.length] ?? '',
    vector: Float32Array.from({ length: dimensions }, next),
  }));
}

/** The true neighbours, computed one by one. */
export function nearest(points: Iterable<StoredVector>, metric: Metric, query: Float32Array, limit: number): VectorHit[] {
  const hits = [...points].map(({ physicalId, vector }) => ({ physicalId, score: scoreOf(metric, query, vector) }));
  return hits.sort((left, right) => right.score - left.score).slice(0, limit);
}

function scoreOf(metric: Metric, left: Float32Array, right: Float32Array): number {
  const sum = (of: (at: number) => number): number => Array.from(left).reduce((total, _, at) => total + of(at), 0);
  const [l, r] = [(at: number) => left[at] ?? 0, (at: number) => right[at] ?? 0];
  if (metric === 'l2') return -Math.sqrt(sum((at) => (l(at) - r(at)) ** 2));
  const product = sum((at) => l(at) * r(at));
  return metric === 'dot' ? product : product / Math.sqrt(sum((at) => l(at) ** 2) * sum((at) => r(at) ** 2));
}

/** What a store said is written, and deleted. */
export interface AcknowledgedPoints {
  kept: StoredVector[];
  gone: string[];
}

export interface WriteLoad {
  going: boolean;
  acknowledged: AcknowledgedPoints;
}

/** Writes and deletes for as long as it shall; calls that fail are outages, and their points may be there or not. */
export async function writing({ store }: OwnStore, space: EmbeddingSpace, collection: string, load: WriteLoad): Promise<void> {
  const next = numbersFrom(Math.floor(Math.random() * 2 ** 31));
  while (load.going) {
    const [first, ...rest] = pointsOf(7, space.dimensions, [collection], next);
    if (first === undefined) continue;
    try {
      await store.upsert(space, [first, ...rest]);
      load.acknowledged.kept.push(...rest);
      await store.delete(space, [first.physicalId]);
      load.acknowledged.gone.push(first.physicalId);
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(unavailable|timeout)$/) });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** All that was acknowledged is there, and nothing that was deleted; a sample is its own nearest neighbour. */
export async function expectThere(store: FaissStore, space: EmbeddingSpace, collection: string, points: AcknowledgedPoints): Promise<void> {
  const { kept, gone } = points;
  const query = kept[0]?.vector ?? new Float32Array(space.dimensions).fill(1);
  const found = new Set((await store.search(space, [collection], query, 10_000)).map(({ physicalId }) => physicalId));
  expect(kept.filter(({ physicalId }) => !found.has(physicalId))).toEqual([]);
  expect(gone.filter((id) => found.has(id))).toEqual([]);
  const sample = kept.filter((_, at) => at % Math.ceil(kept.length / 20) === 0);
  for (const { physicalId, vector } of sample) {
    const near = await store.search(space, [collection], vector, space.metric === 'dot' ? 10_000 : 1);
    expect(near.map((hit) => hit.physicalId)).toContain(physicalId);
  }
}

/** Waits until a call succeeds again. */
export async function up({ client }: OwnStore): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      await client.call({ method: 'GET', path: '/readyz' });
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('This did not come about within 15 s.');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
