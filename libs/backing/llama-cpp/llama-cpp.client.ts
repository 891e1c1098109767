import { Injectable, Logger } from '@nestjs/common';
import type { Llama, LlamaGrammarEvaluationState, LlamaModel } from 'node-llama-cpp' with { 'resolution-mode': 'import' };
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { AnswerFormat } from '@kernel/models';
import { SchemaGrammar } from './schema.grammar';
import { defaultThreads } from './threads';

type Library = typeof import('node-llama-cpp', { with: { 'resolution-mode': 'import' } });

/**
 * The one door to llama.cpp in this process: opens the native library at the first use, loads weights, and closes everything.
 * Only the prebuilt CPU binary is used; nothing is compiled or downloaded. Errors: `unavailable` when no binary fits this machine.
 */
@Injectable()
export class LlamaCppClient {
  readonly threads: number;
  private readonly logger = new Logger(LlamaCppClient.name);
  private opened?: Promise<{ library: Library; llama: Llama }>;
  private readonly models = new Set<LlamaModel>();

  constructor(config: AppConfig) {
    this.threads = config.models.threads ?? defaultThreads();
  }

  async library(): Promise<Library> {
    return (await this.open()).library;
  }

  /** Aborting breaks the loading off. */
  async loadModel(path: string, signal?: AbortSignal): Promise<LlamaModel> {
    const { llama } = await this.open();
    const model = await llama.loadModel({ modelPath: path, loadSignal: signal });
    this.models.add(model);
    return model;
  }

  /** What holds an answer to its form; undefined for plain text. */
  async constraint(model: LlamaModel, format: AnswerFormat | undefined): Promise<LlamaGrammarEvaluationState | undefined> {
    if (format === undefined || format.type === 'text') return undefined;
    const { library, llama } = await this.open();
    const grammar = await llama.createGrammar({ grammar: SchemaGrammar.of(format.type === 'json' ? { type: 'object' } : format.schema) });
    return new library.LlamaGrammarEvaluationState({ model, grammar });
  }

  /** Frees the weights, then the library; contexts must be gone before. */
  async close(): Promise<void> {
    const opened = await this.opened?.catch(() => undefined);
    this.opened = undefined;
    for (const model of this.models) await model.dispose();
    this.models.clear();
    await opened?.llama.dispose();
  }

  private open(): Promise<{ library: Library; llama: Llama }> {
    this.opened ??= this.start().catch((error: unknown) => {
      this.opened = undefined;
      throw new AppError('unavailable', 'The built-in model runtime cannot start on this machine: no llama.cpp binary fits it.', {
        cause: error,
        retryable: false,
      });
    });
    return this.opened;
  }

  private async start(): Promise<{ library: Library; llama: Llama }> {
    const library = await import('node-llama-cpp');
    const llama = await library.getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads: this.threads,
      logLevel: library.LlamaLogLevel.error,
      logger: (_level, message) => this.logger.warn(message.trim()),
    });
    return { library, llama };
  }
}
