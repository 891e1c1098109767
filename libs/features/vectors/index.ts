export type { Collection } from './collection';
export { Collections, DEFAULT_COLLECTION } from './collections.service';
export type { Passage } from './passage';
export { VectorsModule } from './vectors.module';
