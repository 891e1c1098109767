export { FaissEngine, SNAPSHOT_BYTES } from './engine/faiss-engine';
export { BindingError, loadBinding } from './engine/native-binding';
export { FaissClient } from './faiss.client';
export { FaissHealth } from './faiss.health';
export { FaissModule } from './faiss.module';
export { FaissStore } from './faiss.store';
export { FaissRoutes } from './service/faiss-routes';
export { FaissServer } from './service/faiss-server';
export { outgrown } from './service/memory-watch';
