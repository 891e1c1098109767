export { CATALOGUE, fetchCommand, type CatalogueEntry } from './catalogue';
export { LlamaCppClient } from './llama-cpp.client';
export { LlamaCppModule } from './llama-cpp.module';
export { LlamaCppRuntime } from './llama-cpp.runtime';
export { defaultThreads } from './threads';
export { ReadingPace } from './reading.pace';
