export type { FilterRelation, FilterScalar, VectorFilter } from './vector-filter';
export {
  VectorStore,
  type EmbeddingSpace,
  type Metric,
  type StoredVector,
  type StoreCapabilities,
  type VectorHit,
  type VectorScope,
} from './vector-store';
export { VectorStores } from './vector-stores';
