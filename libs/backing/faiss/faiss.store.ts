import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { VectorStore, type EmbeddingSpace, type StoreCapabilities, type StoredVector, type VectorHit } from '@kernel/vectors';
import { MOST_DIMENSIONS } from './engine/faiss-engine';
import { FaissClient, type FaissCall } from './faiss.client';
import { MOST } from './service/faiss-routes';
import { encodeFrame, FRAME_TYPE } from './service/frame';

/** Numbers in the body of one upsert: 8 MiB. */
const MOST_NUMBERS = 2_097_152;
/** Ids in one delete. */
const MOST_IDS = 5_000;

/** Vectors in FAISS: one index for each embedding space, flat and therefore exact; filters are the ledger's. */
@Injectable()
export class FaissStore extends VectorStore {
  readonly name = 'faiss';
  readonly capabilities: StoreCapabilities = {
    metrics: ['cosine', 'dot', 'l2'],
    maxDimensions: MOST_DIMENSIONS,
    exact: true,
    filters: false,
  };

  constructor(private readonly client: FaissClient) {
    super();
  }

  override assertReachable(): void {
    this.client.assertReachable();
  }

  async ensureSpace(space: EmbeddingSpace): Promise<void> {
    const body = Buffer.from(JSON.stringify({ dimensions: space.dimensions, metric: space.metric }));
    try {
      await this.client.call({ method: 'PUT', path: pathOf(space), body, contentType: 'application/json', writes: true });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'conflict') throw error;
      throw new AppError('unavailable', error.message, { retryable: false, cause: error });
    }
  }

  async upsert(space: EmbeddingSpace, vectors: StoredVector[]): Promise<void> {
    const each = Math.max(1, Math.min(MOST.points, Math.floor(MOST_NUMBERS / space.dimensions)));
    for (let at = 0; at < vectors.length; at += each) {
      const batch = vectors.slice(at, at + each);
      const header = { ids: batch.map(({ physicalId }) => physicalId), collections: batch.map(({ collectionId }) => collectionId) };
      const body = encodeFrame(
        header,
        batch.map(({ vector }) => vector),
      );
      await this.inSpace(space, { method: 'POST', path: `${pathOf(space)}/upsert`, body, contentType: FRAME_TYPE, writes: true });
    }
  }

  async delete(space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    for (let at = 0; at < physicalIds.length; at += MOST_IDS) {
      const body = Buffer.from(JSON.stringify({ ids: physicalIds.slice(at, at + MOST_IDS) }));
      const call = { method: 'POST', path: `${pathOf(space)}/delete`, body, contentType: 'application/json', writes: true } as const;
      await this.inSpace(space, call);
    }
  }

  async search(space: EmbeddingSpace, collectionIds: string[], vector: Float32Array, limit: number): Promise<VectorHit[]> {
    if (collectionIds.length === 0) return [];
    const body = encodeFrame({ collections: collectionIds, limit: Math.min(limit, MOST.hits) }, [vector]);
    const { hits } = await this.inSpace(space, { method: 'POST', path: `${pathOf(space)}/search`, body, contentType: FRAME_TYPE });
    return (hits as Array<[string, number]>).map(([physicalId, score]) => ({ physicalId, score }));
  }

  async count(space: EmbeddingSpace, collectionId: string): Promise<number> {
    const { count } = await this.inSpace(space, { method: 'GET', path: `${pathOf(space)}/count?collection=${collectionId}` });
    return count as number;
  }

  /** A space that was made here once and is there no more (a lost directory) is made anew, empty: the ledger still has what was in it. */
  private async inSpace(space: EmbeddingSpace, call: FaissCall): Promise<Record<string, unknown>> {
    try {
      return await this.client.call(call);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
      if (call.path.endsWith('/search'))
        throw new AppError('unavailable', 'FAISS has lost the vectors of this collection: verify it with repair.', {
          retryable: false,
          retryAfterSeconds: 60,
        });
      await this.ensureSpace(space);
      return this.client.call(call);
    }
  }
}

function pathOf(space: EmbeddingSpace): string {
  return `/indexes/${space.physicalName}`;
}
