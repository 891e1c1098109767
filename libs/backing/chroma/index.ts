export { ChromaClient } from './chroma.client';
export { ChromaHealth } from './chroma.health';
export { ChromaModule } from './chroma.module';
export { ChromaStore } from './chroma.store';
