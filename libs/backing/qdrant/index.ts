export { QdrantClient } from './qdrant.client';
export { QdrantHealth } from './qdrant.health';
export { QdrantModule } from './qdrant.module';
export { QdrantStore } from './qdrant.store';
