import { Injectable } from '@nestjs/common';
import type { Schemas } from '@qdrant/js-client-rest' with { 'resolution-mode': 'import' };
import { AppError } from '@kernel/errors';
import { VectorStore, type EmbeddingSpace, type Metric, type StoreCapabilities, type StoredVector, type VectorHit } from '@kernel/vectors';
import { QdrantClient } from './qdrant.client';

const DISTANCE = { cosine: 'Cosine', dot: 'Dot', l2: 'Euclid' } as const;
/** Its distance is lower for nearer, its similarities are the contract's. */
const SCORE: Record<Metric, (score: number) => number> = {
  cosine: (score) => score,
  dot: (score) => score,
  l2: (score) => -score,
};
/** Components of one request: under Qdrant's 32 MB of JSON, and no pause of the event loop that anybody feels. */
const COMPONENTS = 131_072;
const IDS_AT_ONCE = 5_000;
const COLLECTION = 'collection_id';

/**
 * Vectors in Qdrant: one collection of its for each embedding space, under the space's physical name; the payload is the id of our collection alone,
 * for filters are the ledger's. Errors: those of the client; `unavailable`, not retryable, when a collection of that name has another shape.
 */
@Injectable()
export class QdrantStore extends VectorStore {
  readonly name = 'qdrant';
  readonly capabilities: StoreCapabilities = { metrics: ['cosine', 'dot', 'l2'], maxDimensions: 4_096, exact: false, filters: false };

  constructor(private readonly client: QdrantClient) {
    super();
  }

  override assertReachable(): void {
    this.client.assertReachable();
  }

  async ensureSpace(space: EmbeddingSpace): Promise<void> {
    const { physicalName: name, dimensions: size, metric } = space;
    await this.client.call(async (driver) => {
      const { exists } = await driver.collectionExists(name);
      if (!exists) {
        // Somebody else may be first between the two.
        await driver.createCollection(name, { vectors: { size, distance: DISTANCE[metric] } }).catch(async (error: unknown) => {
          if (!(await driver.collectionExists(name)).exists) throw error;
        });
        await driver.createPayloadIndex(name, { field_name: COLLECTION, field_schema: 'keyword', wait: true });
      }
      assertShape((await driver.getCollection(name)).config.params.vectors, space);
    });
  }

  async upsert(space: EmbeddingSpace, vectors: StoredVector[]): Promise<void> {
    const most = Math.max(1, Math.floor(COMPONENTS / space.dimensions));
    for (let at = 0; at < vectors.length; at += most) {
      const points = vectors.slice(at, at + most).map(({ physicalId: id, collectionId, vector }) => ({
        id,
        vector: Array.from(vector),
        payload: { [COLLECTION]: collectionId },
      }));
      await this.within(() => this.client.call((driver) => driver.upsert(space.physicalName, { wait: true, points })));
    }
  }

  async delete(space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    for (let at = 0; at < physicalIds.length; at += IDS_AT_ONCE) {
      const points = physicalIds.slice(at, at + IDS_AT_ONCE);
      await this.within(() => this.client.call((driver) => driver.delete(space.physicalName, { wait: true, points })));
    }
  }

  async search(space: EmbeddingSpace, collectionIds: string[], vector: Float32Array, limit: number): Promise<VectorHit[]> {
    if (collectionIds.length === 0) return [];
    const query = Array.from(vector);
    const filter = { must: [{ key: COLLECTION, match: { any: collectionIds } }] };
    const { points } = await this.within(() => this.client.call((driver) => driver.query(space.physicalName, { query, filter, limit })));
    return points.map(({ id, score }) => ({ physicalId: String(id), score: SCORE[space.metric](score) }));
  }

  async count(space: EmbeddingSpace, collectionId: string): Promise<number> {
    const filter = { must: [{ key: COLLECTION, match: { value: collectionId } }] };
    const { count } = await this.within(() => this.client.call((driver) => driver.count(space.physicalName, { filter, exact: true })));
    return count;
  }

  private async within<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'not_found')) throw error;
      throw new AppError('unavailable', 'Qdrant does not have the collection of these vectors any more.', { cause: error });
    }
  }
}

function assertShape(vectors: Schemas['VectorsConfig'] | undefined, { physicalName, dimensions, metric }: EmbeddingSpace): void {
  const { size, distance } = (vectors ?? {}) as Partial<Schemas['VectorParams']>;
  if (size === dimensions && distance === DISTANCE[metric]) return;
  throw new AppError(
    'unavailable',
    `Qdrant has a collection ${physicalName} of ${String(size)} dimensions by ${String(distance)}, not of ${dimensions} by ${DISTANCE[metric]}: is QDRANT_URL the right server?`,
    { retryable: false },
  );
}
