import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LlamaCppClient, LlamaCppRuntime } from '@backing/llama-cpp';
import type { AppConfig } from '@kernel/config';

export const CHAT = 'smollm2-135m-instruct';
export const EMBEDDING = 'all-minilm-l6-v2';

/** Where the real models' files lie. */
export const modelsDirectory = process.env.MODELS_DIR ?? join(__dirname, '..', '..', '.data', 'models');
export const chatFile = join(modelsDirectory, 'SmolLM2-135M-Instruct.Q4_1.gguf');
export const embeddingFile = join(modelsDirectory, 'all-MiniLM-L6-v2.f16.gguf');

const FETCH = 'run npm run models -- fetch';

/** Runs a suite with the real models. Without their files it is shown as skipped; with REQUIRE_SERVICES=1 or CI it fails. */
export function describeModels(name: string, suite: () => void): void {
  const missing = [chatFile, embeddingFile].filter((file) => !existsSync(file));
  if (missing.length === 0) describe(name, suite);
  else if (process.env.REQUIRE_SERVICES === '1' || process.env.CI !== undefined) it(`${name}: ${FETCH}`, () => expect(missing).toEqual([]));
  else describe.skip(`${name}: ${FETCH}`, suite);
}

/** The settings that models read. */
export function modelSettings(models: Partial<AppConfig['models']> = {}): AppConfig {
  const settings = {
    directory: modelsDirectory,
    chat: CHAT,
    embedding: EMBEDDING,
    coldSeconds: 60,
    firstTokenSeconds: 60,
    idleSeconds: 60,
    concurrency: { of: {} },
    queue: { of: {} },
    queueSeconds: 60,
  };
  return { models: { ...settings, ...models } } as AppConfig;
}

/** The built-in runtime as the application makes it; end it with `onApplicationShutdown`. */
export function openRuntime(models: Partial<AppConfig['models']> = {}): LlamaCppRuntime {
  const config = modelSettings(models);
  return new LlamaCppRuntime(config, new LlamaCppClient(config));
}
