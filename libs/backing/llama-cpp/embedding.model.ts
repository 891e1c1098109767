import type { LlamaEmbeddingContext, LlamaModel, Token } from 'node-llama-cpp' with { 'resolution-mode': 'import' };
import { AppError } from '@kernel/errors';
import { normaliseWordPiece } from '@kernel/models';
import type { EmbeddingEntry } from './catalogue';
import type { LlamaCppClient } from './llama-cpp.client';
import { Breather, slices } from './text.slices';

/** [CLS] and [SEP]. */
const SPECIAL_TOKENS = 2;

/** The weights of an embedding model (WordPiece) with one context. */
export class EmbeddingModel {
  private constructor(
    readonly entry: EmbeddingEntry,
    private readonly model: LlamaModel,
    private readonly context: LlamaEmbeddingContext,
  ) {}

  static async open(client: LlamaCppClient, entry: EmbeddingEntry, path: string, signal: AbortSignal): Promise<EmbeddingModel> {
    const model = await client.loadModel(path, signal);
    try {
      if (model.embeddingVectorSize !== entry.embedding.dimensions)
        throw new Error(`The file has ${model.embeddingVectorSize} dimensions.`);
      const size = Math.min(entry.contextLength, model.trainContextSize);
      if (size < entry.embedding.maxInputTokens + SPECIAL_TOKENS) throw new Error(`The file's context is ${size} tokens only.`);
      // A bidirectional model reads its input in one batch.
      const context = await model.createEmbeddingContext({ contextSize: size, batchSize: size, threads: client.threads });
      return new EmbeddingModel(entry, model, context);
    } catch (error) {
      await model.dispose();
      throw error;
    }
  }

  /** The tokens of each text without special tokens. */
  async *tokens(texts: string[], signal: AbortSignal): AsyncGenerator<Token[]> {
    const breather = new Breather();
    for (const text of texts) {
      const tokens: Token[] = [];
      for (const slice of slices(text)) {
        for (const token of this.model.tokenize(normaliseWordPiece(slice), false)) tokens.push(token);
        await breather.pause();
        signal.throwIfAborted();
      }
      yield tokens;
    }
  }

  /** The unit vector of one input. */
  async embed(tokens: Token[]): Promise<Float32Array> {
    const { bos, eos } = this.model.tokens;
    if (bos === null || eos === null) throw new AppError('internal', `The model ${this.entry.slug} lacks its special tokens.`);
    const { vector } = await this.context.getEmbeddingFor([bos, ...tokens, eos]);
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (!Number.isFinite(length) || length === 0) throw new AppError('internal', `The model ${this.entry.slug} gave no vector.`);
    return Float32Array.from(vector, (value) => value / length);
  }

  /** What the model reads for so many tokens of text. */
  inputTokens(tokens: number): number {
    return tokens + SPECIAL_TOKENS;
  }

  /** Frees the context; the client frees the weights. */
  async close(): Promise<void> {
    await this.context.dispose();
  }
}
