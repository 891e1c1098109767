export { hasName, nameOf, slugOf } from './model.names';
export { OllamaClient } from './ollama.client';
export { OllamaHealth } from './ollama.health';
export { OllamaLibrary, type PullProgress } from './ollama.library';
export { OllamaModule } from './ollama.module';
export { OllamaRuntime } from './ollama.runtime';
