export { VectorStore, type EmbeddingSpace, type Metric, type StoredVector, type VectorHit } from './vector-store';
