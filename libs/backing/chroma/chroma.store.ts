import { Injectable } from '@nestjs/common';
import type { ChromaClient as Driver, Collection as DriverCollection } from 'chromadb' with { 'resolution-mode': 'import' };
import { AppError } from '@kernel/errors';
import { VectorStore, type EmbeddingSpace, type Metric, type StoreCapabilities, type StoredVector, type VectorHit } from '@kernel/vectors';
import { ChromaClient } from './chroma.client';

/** Chroma's name of each metric, and its distance as the contract's score; its l2 is squared. */
const SPACE = { cosine: 'cosine', dot: 'ip', l2: 'l2' } as const;
const SCORE: Record<Metric, (distance: number) => number> = {
  cosine: (distance) => 1 - distance,
  dot: (distance) => 1 - distance,
  l2: (distance) => -Math.sqrt(Math.max(0, distance)),
};
/** Components of one request: under Chroma's 40 MB, and no pause of the event loop that anybody feels. */
const COMPONENTS = 131_072;
const IDS_PER_PAGE = 1_000;

/**
 * Vectors in Chroma: one collection of its for each embedding space, under the space's physical name; metadata is the id of our collection alone,
 * for filters are the ledger's. Errors: those of the client; `unavailable`, not retryable, when a collection of that name has another shape.
 */
@Injectable()
export class ChromaStore extends VectorStore {
  readonly name = 'chroma';
  readonly capabilities: StoreCapabilities = { metrics: ['cosine', 'dot', 'l2'], maxDimensions: 4_096, exact: false, filters: false };
  /** Ids of Chroma's collections by name. */
  private readonly ids = new Map<string, string>();

  constructor(private readonly client: ChromaClient) {
    super();
  }

  override assertReachable(): void {
    this.client.assertReachable();
  }

  async ensureSpace(space: EmbeddingSpace): Promise<void> {
    this.ids.delete(space.physicalName);
    await this.client.call(async (driver) => {
      const collection = await driver.getOrCreateCollection({
        name: space.physicalName,
        configuration: { hnsw: { space: SPACE[space.metric] } },
        metadata: { dimensions: space.dimensions },
        embeddingFunction: null,
      });
      assertShape(collection, space);
      this.ids.set(space.physicalName, collection.id);
    });
  }

  async upsert(space: EmbeddingSpace, vectors: StoredVector[]): Promise<void> {
    if (vectors.length === 0) return;
    const most = await this.most(space);
    for (let at = 0; at < vectors.length; at += most) {
      const batch = vectors.slice(at, at + most);
      await this.within(space, (collection) =>
        collection.upsert({
          ids: batch.map((each) => each.physicalId),
          embeddings: batch.map((each) => Array.from(each.vector)),
          metadatas: batch.map((each) => ({ collection_id: each.collectionId })),
        }),
      );
    }
  }

  async delete(space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    for (let at = 0; at < physicalIds.length; at += IDS_PER_PAGE) {
      const ids = physicalIds.slice(at, at + IDS_PER_PAGE);
      await this.within(space, (collection) => collection.delete({ ids }));
    }
  }

  async search(space: EmbeddingSpace, collectionIds: string[], vector: Float32Array, limit: number): Promise<VectorHit[]> {
    if (collectionIds.length === 0) return [];
    const where = inCollections(collectionIds);
    const result = await this.within(space, (collection) =>
      collection.query({ queryEmbeddings: [Array.from(vector)], nResults: limit, where, include: ['distances'] }),
    );
    const distances = result.distances[0] ?? [];
    return (result.ids[0] ?? []).map((physicalId, index) => ({ physicalId, score: SCORE[space.metric](distances[index] ?? 0) }));
  }

  async count(space: EmbeddingSpace, collectionId: string): Promise<number> {
    for (let count = 0; ; ) {
      const where = { collection_id: collectionId };
      const page = await this.within(space, (collection) => collection.get({ where, include: [], limit: IDS_PER_PAGE, offset: count }));
      count += page.ids.length;
      if (page.ids.length < IDS_PER_PAGE) return count;
    }
  }

  private async most({ dimensions }: EmbeddingSpace): Promise<number> {
    return Math.max(1, Math.min(await this.client.mostAtOnce(), Math.floor(COMPONENTS / dimensions)));
  }

  private async within<T>(space: EmbeddingSpace, work: (collection: DriverCollection) => Promise<T>): Promise<T> {
    try {
      return await this.client.call(async (driver) => work(driver.collection(await this.idOf(driver, space))));
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'not_found')) throw error;
      this.ids.delete(space.physicalName);
      throw new AppError('unavailable', 'Chroma does not have the collection of these vectors any more.', { cause: error });
    }
  }

  private async idOf(driver: Driver, { physicalName: name }: EmbeddingSpace): Promise<string> {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    const { id } = await driver.getCollection({ name });
    this.ids.set(name, id);
    return id;
  }
}

function inCollections(ids: string[]) {
  const [first = ''] = ids;
  return ids.length === 1 ? { collection_id: first } : { collection_id: { $in: ids } };
}

/** A server that knew the name answers what it has, whatever was asked for. */
function assertShape(collection: DriverCollection, space: EmbeddingSpace): void {
  const { metadata, configuration } = collection;
  const metric = configuration.hnsw?.space ?? configuration.spann?.space;
  const { dimensions } = metadata ?? {};
  if (metric === SPACE[space.metric] && dimensions === space.dimensions) return;
  throw new AppError(
    'unavailable',
    `Chroma has a collection ${space.physicalName} of ${String(dimensions)} dimensions by ${String(metric)}, not of ${space.dimensions} by ${SPACE[space.metric]}: is CHROMA_URL the right server?`,
    { retryable: false },
  );
}
