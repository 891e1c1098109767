import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { cancelled } from '@kernel/calls';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import {
  ModelRuntime,
  type ChatChunk,
  type ChatRequest,
  type ChatTurn,
  type CompletionRequest,
  type EmbedAnswer,
  type EmbedRequest,
  type ModelActivity,
  type ModelCard,
  type SamplingRequest,
} from '@kernel/models';
import { CATALOGUE, isChat, isEmbedding } from './catalogue';
import { ChatEngine } from './chat.engine';
import { ChatModel } from './chat.model';
import { EmbeddingEngine } from './embedding.engine';
import { EmbeddingModel } from './embedding.model';
import { LlamaCppClient } from './llama-cpp.client';
import { ModelFiles } from './model.files';
import { ModelSlot } from './model.slot';
import { StepWatch } from './step.watch';
import { TurnQueue } from './turn.queue';

/** Answers of a model are made one at a time in its one context; calls for vectors take turns by batches. */
const PARALLEL = { chat: 1, embedding: 4 };

/** Milliseconds after the application came up: its first requests go before loading weights. */
const WARM_UP_AFTER = 1_000;

/**
 * The built-in runtime: llama.cpp in this process on the processor. Weights are loaded at the first use; the default models are warmed up in the
 * background after start when their files are there. Chat goes before the embedding of documents. Errors as the port says.
 */
@Injectable()
export class LlamaCppRuntime extends ModelRuntime implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly name = 'llama.cpp';
  private readonly logger = new Logger(LlamaCppRuntime.name);
  private readonly turns = new TurnQueue();
  private readonly watch = new StepWatch(this.turns);
  private readonly closing = new AbortController();
  private readonly chats = new Map<string, ChatEngine>();
  private readonly embeddings = new Map<string, EmbeddingEngine>();
  private warmUpTimer?: NodeJS.Timeout;
  private closed?: Promise<void>;

  constructor(
    private readonly config: AppConfig,
    private readonly client: LlamaCppClient,
  ) {
    super();
    const files = new ModelFiles(config.models.directory);
    const { coldSeconds, idleSeconds } = config.models;
    for (const entry of CATALOGUE) {
      if (isChat(entry)) {
        const slot = new ModelSlot(entry, files, (path, signal) => ChatModel.open(client, entry, path, signal), coldSeconds);
        this.chats.set(entry.slug, new ChatEngine(slot, this.turns, config.models, this.watch));
      } else if (isEmbedding(entry)) {
        const slot = new ModelSlot(entry, files, (path, signal) => EmbeddingModel.open(client, entry, path, signal), coldSeconds);
        this.embeddings.set(entry.slug, new EmbeddingEngine(slot, this.turns, idleSeconds, this.watch));
      }
    }
  }

  async models(): Promise<ModelCard[]> {
    return Promise.all(this.engines().map((engine) => engine.slot.card()));
  }

  activity(model: string): ModelActivity {
    return this.engine(model).meter.now;
  }

  parallel(model: string): number {
    return PARALLEL[this.engine(model).slot.entry.kind];
  }

  async load(model: string, signal: AbortSignal): Promise<void> {
    const engine = this.engine(model);
    await this.run<unknown>(signal, (both) => engine.slot.get(both));
  }

  chat(request: ChatRequest): AsyncGenerator<ChatChunk, void> {
    return this.stream(request, (engine, signal) => engine.chat(request, signal));
  }

  complete(request: CompletionRequest): AsyncGenerator<ChatChunk, void> {
    return this.stream(request, (engine, signal) => engine.complete(request, signal));
  }

  async embed(request: EmbedRequest): Promise<EmbedAnswer> {
    const engine = this.embeddingEngine(request.model);
    return this.run(request.signal, (signal) => engine.embed(request, signal));
  }

  async countTokens(model: string, texts: string[], signal: AbortSignal): Promise<number[]> {
    const engine = this.engine(model);
    return this.run(signal, (both) => engine.countTokens(texts, both));
  }

  async countPromptTokens(model: string, turns: ChatTurn[], signal: AbortSignal): Promise<number> {
    const engine = this.chatEngine(model);
    return this.run(signal, (both) => engine.countPromptTokens(turns, both));
  }

  onApplicationBootstrap(): void {
    this.warmUpTimer = setTimeout(() => void this.warmUp(), WARM_UP_AFTER);
    this.warmUpTimer.unref();
  }

  /** Loads the default models whose files are there and lets each work once, so that its weights are in memory. Never rejects. */
  async warmUp(): Promise<void> {
    const { chat, embedding } = this.config.models;
    const { signal } = this.closing;
    const ready = new Set((await this.models()).filter(({ state }) => state === 'ready').map(({ id }) => id));
    try {
      if (ready.has(embedding)) await this.embed({ model: embedding, texts: ['Ready?'], input: 'document', signal });
      if (!ready.has(chat)) return;
      const request = { model: chat, turns: [{ role: 'user' as const, content: 'Ready?' }], maxTokens: 1, temperature: 0, signal };
      for await (const chunk of this.chat(request)) if (chunk.type === 'end') this.logger.log(`The models are warm.`);
    } catch (error) {
      if (!signal.aborted) this.logger.warn(`Warming up failed: ${(error as Error).message}`);
    }
  }

  onApplicationShutdown(): Promise<void> {
    this.closed ??= this.close();
    return this.closed;
  }

  private async close(): Promise<void> {
    clearTimeout(this.warmUpTimer);
    this.closing.abort();
    this.watch.close();
    for (const engine of this.chats.values()) await engine.close();
    // Nobody gets a turn any more, so the native work is over.
    await this.turns.take('soon');
    for (const engine of this.embeddings.values()) await engine.close();
    await this.client.close();
  }

  private engines(): (ChatEngine | EmbeddingEngine)[] {
    return CATALOGUE.map(({ slug }) => this.engine(slug));
  }

  private engine(model: string): ChatEngine | EmbeddingEngine {
    return this.chats.get(model) ?? this.embeddingEngine(model);
  }

  private chatEngine(model: string): ChatEngine {
    const engine = this.chats.get(model);
    if (engine === undefined) throw AppError.notFound(`The chat model ${model}`);
    return engine;
  }

  private embeddingEngine(model: string): EmbeddingEngine {
    const engine = this.embeddings.get(model);
    if (engine === undefined) throw AppError.notFound(`The model ${model}`);
    return engine;
  }

  private async *stream(
    request: SamplingRequest,
    open: (engine: ChatEngine, signal: AbortSignal) => AsyncGenerator<ChatChunk, void>,
  ): AsyncGenerator<ChatChunk, void> {
    const engine = this.chatEngine(request.model);
    const signal = this.withClosing(request.signal);
    try {
      if (signal.aborted) throw cancelled(signal);
      yield* open(engine, signal);
    } catch (error) {
      throw this.translated(error, request.signal);
    }
  }

  private async run<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const both = this.withClosing(signal);
    try {
      if (both.aborted) throw cancelled(both);
      return await work(both);
    } catch (error) {
      throw this.translated(error, signal);
    }
  }

  private withClosing(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.closing.signal]);
  }

  private translated(error: unknown, signal: AbortSignal): AppError {
    if (signal.aborted) return cancelled(signal);
    if (this.closing.signal.aborted) return new AppError('unavailable', 'The server is stopping.', { cause: error });
    if (error instanceof AppError) return error;
    return new AppError('internal', 'The built-in model runtime failed.', { cause: error });
  }
}
