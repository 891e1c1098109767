import type { VectorFilter } from './vector-filter';

export type Metric = 'cosine' | 'dot' | 'l2';

/** An embedding space: vectors of one model (or of a user's own) in one store; one physical table, collection or index. */
export interface EmbeddingSpace {
  id: string;
  store: string;
  /** Catalogue slug, or null for vectors that users bring themselves. */
  model: string | null;
  dimensions: number;
  metric: Metric;
  version: number;
  /** Server-made name of the table, collection or index: `[a-z0-9_]+`. */
  physicalName: string;
}

export interface StoredVector {
  /** UUIDv5(space id, point id); for points of users the collection's id stands before theirs. */
  physicalId: string;
  collectionId: string;
  vector: Float32Array;
}

export interface VectorHit {
  physicalId: string;
  /** The contract's score: higher is better (cosine similarity, inner product, minus Euclidean distance). */
  score: number;
}

/** Which of a space's points may be candidates. */
export interface VectorScope {
  /** Only points that the ledger shows and whose metadata satisfies this: nothing that fits is crowded out by what does not. */
  filter?: VectorFilter;
  /** No approximate index: the true neighbours. */
  exact?: boolean;
}

/** What a store can do, as its users may ask. */
export interface StoreCapabilities {
  metrics: Metric[];
  maxDimensions: number;
  /** Whether `exact` is honoured. */
  exact: boolean;
  /** Whether filters are part of the search, not applied to its result. */
  filters: boolean;
}

/**
 * Port: candidates by vector nearness. The ledger in PostgreSQL stays the truth: a store may be rebuilt from it at any time,
 * answers may hold ids that the ledger no longer shows, and every write is idempotent by physical id.
 */
export abstract class VectorStore {
  abstract readonly name: string;
  abstract readonly capabilities: StoreCapabilities;

  /** Throws `unavailable` when the store is known to be away; asks nobody. */
  assertReachable(): void {
    // A store without a connection of its own is always there.
  }

  /** Makes the space where it is not there yet. Errors: `unavailable`, not retryable when the store has another shape under that name. */
  abstract ensureSpace(space: EmbeddingSpace): Promise<void>;
  /** Replaces vectors whole; visible to the next search when it answers. */
  abstract upsert(space: EmbeddingSpace, vectors: StoredVector[]): Promise<void>;
  abstract delete(space: EmbeddingSpace, physicalIds: string[]): Promise<void>;
  abstract search(
    space: EmbeddingSpace,
    collectionIds: string[],
    vector: Float32Array,
    limit: number,
    scope?: VectorScope,
  ): Promise<VectorHit[]>;
  /** How many vectors a collection has there: what counts is the ledger, this is for comparisons. */
  abstract count(space: EmbeddingSpace, collectionId: string): Promise<number>;
}
